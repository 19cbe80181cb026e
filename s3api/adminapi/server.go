package adminapi

import "time"

// About is what a server is, as long as it runs.
type About struct {
	// Version is the program's, such as v1.2.3; Commit what it was built from, where that is known; Go the toolchain;
	// Platform the system and architecture, such as linux/amd64.
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	// Region is what requests are signed for.
	Region string `json:"region"`
	// Domains are the host names under which a bucket's name may stand.
	Domains []string `json:"domains"`
	// Sync is SyncAlways or SyncNone.
	Sync string `json:"sync"`
	// Features are what may be there or not, by name, such as "tls". One that is not named is not known to this version.
	Features map[string]bool `json:"features"`
}

// What a server acknowledges.
const (
	SyncAlways = "always" // what is on disk
	SyncNone   = "none"   // what it has received
)

// Server is what a server is, and how it is.
type Server struct {
	About
	Started       time.Time `json:"started"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	// Ready says whether the server takes work: it does until it is stopping.
	Ready  bool         `json:"ready"`
	Limits ServerLimits `json:"limits"`
	Disk   Disk         `json:"disk"`
}

// ServerLimits are what a server takes.
type ServerLimits struct {
	// MaxBytes and MaxObjects are the limit of what is stored in all, 0 where there is none.
	MaxBytes   int64 `json:"max_bytes"`
	MaxObjects int64 `json:"max_objects"`
	// MaxPutBytes is the largest body of one PutObject or UploadPart, MinPartBytes the smallest part but the last.
	MaxPutBytes  int64 `json:"max_put_bytes"`
	MinPartBytes int64 `json:"min_part_bytes"`
	MaxParts     int64 `json:"max_parts"`
	MaxKeyBytes  int64 `json:"max_key_bytes"`
	// MaxAdminBodyBytes is the largest body of a request of this API.
	MaxAdminBodyBytes int64 `json:"max_admin_body_bytes"`
}

// Disk is the space of the disk under the store.
type Disk struct {
	SizeBytes int64 `json:"size_bytes"`
	// FreeBytes is what nobody has taken, ReserveBytes what uploads leave alone of it, AvailableBytes what is left for
	// them.
	FreeBytes      int64 `json:"free_bytes"`
	ReserveBytes   int64 `json:"reserve_bytes"`
	AvailableBytes int64 `json:"available_bytes"`
}

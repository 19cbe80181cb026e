package minioadmin

import (
	"time"

	"github.com/plimsoll/plimsoll/quota"
)

// figures is what the server holds, with its disk.
type figures struct {
	server  quota.Account
	buckets []quota.Account
	// size, free and used are the disk's bytes: free is what is left above the reserve, used the rest.
	size, free, used uint64
}

func (rq *request) figures() (figures, error) {
	var f figures
	for _, a := range rq.handler.config.Store.Accounts() {
		switch a.Scope.Kind {
		case quota.Server:
			f.server = a
		case quota.Bucket:
			f.buckets = append(f.buckets, a)
		}
	}
	free, size, err := rq.handler.config.Store.Free()
	if err != nil {
		return f, err
	}
	f.size, f.free = uint64(size), uint64(free)
	f.used = f.size - min(f.free, f.size)
	return f, nil
}

// current is how many objects are the latest version of their key.
func current(u quota.Usage) uint64 { return uint64(u.Objects - u.Noncurrent) }

// count and size are how MinIO wraps figures.
type (
	count struct {
		Count uint64 `json:"count"`
	}
	size struct {
		Size uint64 `json:"size"`
	}
)

// drive is the disk of the data directory, as one drive in a pool of its own.
type drive struct {
	Endpoint       string `json:"endpoint"`
	Path           string `json:"path"`
	State          string `json:"state"`
	TotalSpace     uint64 `json:"totalspace"`
	UsedSpace      uint64 `json:"usedspace"`
	AvailableSpace uint64 `json:"availspace"`
	Local          bool   `json:"local"`
	PoolIndex      int    `json:"pool_index"`
	SetIndex       int    `json:"set_index"`
	DiskIndex      int    `json:"disk_index"`
}

func (rq *request) drive(f figures) drive {
	data := rq.handler.config.Data
	return drive{
		Endpoint: data, Path: data, State: "ok", TotalSpace: f.size, UsedSpace: f.used, AvailableSpace: f.free, Local: true,
	}
}

// serverInfo is one server of a cluster: this one.
type serverInfo struct {
	State       string            `json:"state"`
	Endpoint    string            `json:"endpoint"`
	Scheme      string            `json:"scheme"`
	Uptime      int64             `json:"uptime"` // in seconds
	Version     string            `json:"version"`
	CommitID    string            `json:"commitID"`
	Edition     string            `json:"edition"`
	Network     map[string]string `json:"network"`
	Drives      []drive           `json:"drives"`
	PoolNumber  int               `json:"poolNumber"`
	PoolNumbers []int             `json:"poolNumbers"`
}

// poolInfo is a set of drives in a pool.
type poolInfo struct {
	ID                 int    `json:"id"`
	RawUsage           uint64 `json:"rawUsage"`
	RawCapacity        uint64 `json:"rawCapacity"`
	Usage              uint64 `json:"usage"`
	ObjectsCount       uint64 `json:"objectsCount"`
	VersionsCount      uint64 `json:"versionsCount"`
	DeleteMarkersCount uint64 `json:"deleteMarkersCount"`
}

// layout is what MinIO calls a backend: one drive without parity.
type layout struct {
	BackendType      string `json:"backendType"`
	OnlineDisks      int    `json:"onlineDisks"`
	OfflineDisks     int    `json:"offlineDisks"`
	StandardSCParity int    `json:"standardSCParity"`
	RRSCParity       int    `json:"rrSCParity"`
	TotalSets        []int  `json:"totalSets"`
	DrivesPerSet     []int  `json:"totalDrivesPerSet"`
}

// infoMessage is the answer to "info".
type infoMessage struct {
	Mode          string                   `json:"mode"`
	Domain        []string                 `json:"domain,omitempty"`
	Region        string                   `json:"region"`
	Buckets       count                    `json:"buckets"`
	Objects       count                    `json:"objects"`
	Versions      count                    `json:"versions"`
	DeleteMarkers count                    `json:"deletemarkers"`
	Usage         size                     `json:"usage"`
	Services      struct{}                 `json:"services"`
	Backend       layout                   `json:"backend"`
	Servers       []serverInfo             `json:"servers"`
	Pools         map[int]map[int]poolInfo `json:"pools"`
}

func getInfo(rq *request) error {
	f, err := rq.figures()
	if err != nil {
		return err
	}
	config, used := &rq.handler.config, f.server.Usage
	scheme := "http"
	if rq.r.TLS != nil {
		scheme = "https"
	}
	return rq.answer(infoMessage{
		Mode: "online", Domain: config.Domains, Region: config.Region,
		Buckets: count{uint64(len(f.buckets))}, Objects: count{current(used)}, Versions: count{uint64(used.Objects)},
		DeleteMarkers: count{uint64(used.Markers)}, Usage: size{uint64(used.Bytes)},
		Backend: layout{BackendType: "Erasure", OnlineDisks: 1, TotalSets: []int{1}, DrivesPerSet: []int{1}},
		Servers: []serverInfo{{
			State: "online", Endpoint: rq.r.Host, Scheme: scheme,
			Uptime:  int64(config.Now().Sub(rq.handler.started) / time.Second),
			Version: "Plimsoll " + config.Version, CommitID: config.Commit, Edition: "Plimsoll",
			Network: map[string]string{rq.r.Host: "online"}, Drives: []drive{rq.drive(f)}, PoolNumber: 1, PoolNumbers: []int{1},
		}},
		Pools: map[int]map[int]poolInfo{0: {0: {
			RawUsage: f.used, RawCapacity: f.size, Usage: uint64(used.Bytes), ObjectsCount: current(used),
			VersionsCount: uint64(used.Objects), DeleteMarkersCount: uint64(used.Markers),
		}}},
	})
}

// storageInfo is the answer to "storageinfo"; its fields have Go's names.
type storageInfo struct {
	Disks   []drive
	Backend backendInfo
}

// backendInfo is layout in other words.
type backendInfo struct {
	Type                      int // 2 is erasure coding
	OnlineDisks, OfflineDisks map[string]int
	StandardSCData            []int
	StandardSCParities        []int
	RRSCData                  []int
	RRSCParities              []int
	TotalSets, DrivesPerSet   []int
	StandardSCParity          int
	RRSCParity                int
}

func backendOf(data string) backendInfo {
	return backendInfo{
		Type: 2, OnlineDisks: map[string]int{data: 1}, OfflineDisks: map[string]int{data: 0},
		StandardSCData: []int{1}, StandardSCParities: []int{0}, RRSCData: []int{1}, RRSCParities: []int{0},
		TotalSets: []int{1}, DrivesPerSet: []int{1},
	}
}

func getStorageInfo(rq *request) error {
	f, err := rq.figures()
	if err != nil {
		return err
	}
	return rq.answer(storageInfo{Disks: []drive{rq.drive(f)}, Backend: backendOf(rq.handler.config.Data)})
}

// bucketUsage is what a bucket holds.
type bucketUsage struct {
	Size               uint64 `json:"size"`
	ObjectsCount       uint64 `json:"objectsCount"`
	VersionsCount      uint64 `json:"versionsCount"`
	DeleteMarkersCount uint64 `json:"deleteMarkersCount"`
}

// dataUsage is the answer to "datausageinfo". The histograms that MinIO's scanner adds are left out.
type dataUsage struct {
	LastUpdate       time.Time              `json:"lastUpdate"`
	ObjectsCount     uint64                 `json:"objectsCount"`
	VersionsCount    uint64                 `json:"versionsCount"`
	MarkersCount     uint64                 `json:"deleteMarkersCount"`
	ObjectsTotalSize uint64                 `json:"objectsTotalSize"`
	BucketsCount     uint64                 `json:"bucketsCount"`
	BucketsUsage     map[string]bucketUsage `json:"bucketsUsageInfo"`
	BucketsSizes     map[string]uint64      `json:"bucketsSizes"`
	Capacity         uint64                 `json:"capacity"`
	FreeCapacity     uint64                 `json:"freeCapacity"`
	UsedCapacity     uint64                 `json:"usedCapacity"`
}

func getDataUsageInfo(rq *request) error {
	f, err := rq.figures()
	if err != nil {
		return err
	}
	used := f.server.Usage
	answer := dataUsage{
		LastUpdate: rq.handler.config.Now().UTC(), ObjectsCount: current(used), VersionsCount: uint64(used.Objects),
		MarkersCount: uint64(used.Markers), ObjectsTotalSize: uint64(used.Bytes), BucketsCount: uint64(len(f.buckets)),
		BucketsUsage: make(map[string]bucketUsage, len(f.buckets)), BucketsSizes: make(map[string]uint64, len(f.buckets)),
		Capacity: f.size, FreeCapacity: f.free, UsedCapacity: f.used,
	}
	for _, a := range f.buckets {
		answer.BucketsUsage[a.Scope.Name] = bucketUsage{
			Size: uint64(a.Usage.Bytes), ObjectsCount: current(a.Usage), VersionsCount: uint64(a.Usage.Objects),
			DeleteMarkersCount: uint64(a.Usage.Markers),
		}
		answer.BucketsSizes[a.Scope.Name] = uint64(a.Usage.Bytes)
	}
	return rq.answer(answer)
}

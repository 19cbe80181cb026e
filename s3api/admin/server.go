package admin

import (
	"net/http"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/control"
)

// getServer tells what the server is, and how it is.
func getServer(rq *request) error {
	store := rq.handler.config.Store
	disk, err := store.Disk()
	if err != nil {
		return err
	}
	account, _ := store.Account(quota.ServerScope) // there is always one
	return rq.answer(http.StatusOK, adminapi.Server{
		About:         rq.handler.config.About,
		Started:       rq.handler.started.UTC().Truncate(time.Second),
		UptimeSeconds: int64(time.Since(rq.handler.started) / time.Second),
		Ready:         rq.handler.config.Ready(),
		Limits: adminapi.ServerLimits{
			MaxBytes: account.Limit.MaxBytes, MaxObjects: account.Limit.MaxObjects,
			MaxPutBytes: backend.MaxPutBytes, MinPartBytes: backend.MinPartBytes, MaxParts: backend.MaxPartNumber,
			MaxKeyBytes: backend.MaxKeyBytes, MaxAdminBodyBytes: adminapi.MaxBodyBytes,
		},
		Disk: adminapi.Disk{
			SizeBytes: disk.Size, FreeBytes: disk.Free, ReserveBytes: disk.Reserve, AvailableBytes: disk.Available,
		},
	})
}

// getDescription tells the OpenAPI description. It is the same for every server of a version, so that whoever may reach
// the server may read it, and tools need no keys for it.
func getDescription(rq *request) error {
	document, err := rq.handler.describe()
	if err != nil {
		return err
	}
	rq.w.Header().Set("ETag", etagOf(document))
	control.Send(rq.w, http.StatusOK, "application/json", document)
	return nil
}

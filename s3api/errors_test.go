package s3api

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/quota"
)

// TestRefusalMessages: a refusal is understood by who reads nothing but its message, and tells nobody the server's paths.
func TestRefusalMessages(t *testing.T) {
	photos := quota.BucketScope("photos")
	noRoom := &fs.PathError{Op: "write", Path: "/srv/plimsoll/packs/1", Err: syscall.ENOSPC}
	for _, test := range []struct {
		name, want string
		err        error
	}{
		{
			"a byte more than fits", `Bucket "photos" has a limit of 1000 B and holds 999 B; this request needs 1 B more than is left.`,
			&quota.ExceededError{Scope: photos, Resource: quota.Bytes, Total: 1000, Used: 999, Requested: 2},
		},
		{
			"beside what is arriving",
			`Bucket "photos" has a limit of 1000 B and holds 0 B; this request needs 1 B more than is left, since 999 B are held for uploads that are arriving.`,
			&quota.ExceededError{Scope: photos, Resource: quota.Bytes, Total: 1000, Reserved: 999, Requested: 2, Transient: true},
		},
		{
			"over a limit that was lowered",
			`The server has a limit of 1 object and holds 25 objects, which is 24 objects over it; this request needs 1 object more than is left.`,
			&quota.ExceededError{Scope: quota.ServerScope, Resource: quota.Objects, Total: 1, Used: 25, Requested: 1},
		},
		{
			"over it, and not growing: a part of an upload that would replace what is there",
			`Bucket "photos" has a limit of 20.0 MiB and holds 20.0 MiB, which is 1 B over it.`,
			&quota.ExceededError{Scope: photos, Resource: quota.Bytes, Total: 20<<20 - 1, Used: 20 << 20},
		},
		{
			"the disk", `The disk has 0 B left for objects; this request needs 5 B.`,
			&backend.InsufficientStorageError{Requested: 5},
		},
		{
			"the disk, for an empty object", `The disk has 0 B left for objects.`,
			&backend.InsufficientStorageError{},
		},
		{
			"the system", `The disk is full: no space left on device.`,
			&backend.InsufficientStorageError{Requested: 5, Cause: fmt.Errorf("append to a pack: %w", noRoom)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			rq := &request{handler: new(Handler)}
			if got := rq.toError(test.err); got.Status != 507 || got.Message != test.want {
				t.Errorf("%d %q, want 507 %q", got.Status, got.Message, test.want)
			}
		})
	}
}

//go:build !linux

package bolt

import "errors"

func limitFileSize(uint64) error { return errors.ErrUnsupported }

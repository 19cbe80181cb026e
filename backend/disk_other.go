//go:build !linux

package backend

import "os"

// allocate makes f hold size bytes of the disk.
func allocate(f *os.File, size int64) error {
	block := make([]byte, 64<<10)
	for written := int64(0); written < size; written += int64(len(block)) {
		if _, err := f.Write(block[:min(int64(len(block)), size-written)]); err != nil {
			return err
		}
	}
	return nil
}

package files

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/plimsoll/plimsoll/backend/blob"
)

const (
	epochFile      = "epoch"
	epochTemporary = "epoch.new"
)

// beginEpoch returns an epoch that is higher than every earlier one, after it was written to dir. The names of
// directories are looked at too, so that an epoch file that is missing, or was put back from an old copy, does not
// take the count back.
func beginEpoch(system fileSystem, dir string, sync bool) (uint32, error) {
	last, err := readEpoch(filepath.Join(dir, epochFile))
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		if epoch, ok := parseDirName(entry.Name()); ok {
			last = max(last, epoch)
		}
	}
	if last == math.MaxUint32 {
		return 0, errors.New("epochs are used up")
	}
	return last + 1, writeEpoch(system, dir, last+1, sync)
}

// readEpoch returns what the epoch file says, and 0 where there is none.
func readEpoch(path string) (uint32, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(text) > 8 {
		epoch, err := strconv.ParseUint(string(text[:8]), 16, 32)
		if err == nil && string(text) == epochLine(uint32(epoch)) {
			return uint32(epoch), nil
		}
	}
	return 0, fmt.Errorf("%s does not hold an epoch: %w", path, blob.ErrCorrupt)
}

func epochLine(epoch uint32) string {
	digits := fmt.Sprintf("%08x", epoch)
	return fmt.Sprintf("%s %08x\n", digits, crc32.Checksum([]byte(digits), castagnoli))
}

// writeEpoch puts a new epoch file in the place of the old one: after a crash there is one of the two.
func writeEpoch(system fileSystem, dir string, epoch uint32, sync bool) error {
	temporary := filepath.Join(dir, epochTemporary)
	if err := system.remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := system.create(temporary)
	if err != nil {
		return err
	}
	err = f.write([]byte(epochLine(epoch)))
	if err == nil && sync {
		err = f.sync()
	}
	if err := errors.Join(err, f.close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, filepath.Join(dir, epochFile)); err != nil {
		return err
	}
	if !sync {
		return nil
	}
	return system.syncDir(dir)
}

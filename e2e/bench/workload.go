package main

import (
	"fmt"
	"strings"
)

// kind is what a workload's clients do.
type kind int

const (
	put kind = iota
	get
	head
	list
	mixed
)

const (
	kib = 1 << 10
	mib = 1 << 20

	// listPage is how many keys one LIST asks for.
	listPage = 1000
	// largeObjects is how many objects the GET of large ones chooses from.
	largeObjects = 8
	// dropFrom is the size from which objects that a PUT made are deleted after the measurement, to spare the disk.
	dropFrom = 128 * kib
)

// The shares of the mixed workload in percent; the rest are deletes.
const (
	mixedGet  = 60
	mixedHead = 20
	mixedPut  = 15
)

// workload is one row of the table.
type workload struct {
	name, title string
	kind        kind
	clients     int
	bytes       int // of an object
}

var workloads = []workload{
	{"put-4k-1", "PUT 4 KiB, 1 client", put, 1, 4 * kib},
	{"put-4k-16", "PUT 4 KiB, 16 clients", put, 16, 4 * kib},
	{"put-4k-64", "PUT 4 KiB, 64 clients", put, 64, 4 * kib},
	{"put-128k", "PUT 128 KiB, 16 clients", put, 16, 128 * kib},
	{"put-16m", "PUT 16 MiB, 4 clients", put, 4, 16 * mib},
	{"get-4k", "GET 4 KiB, 16 clients", get, 16, 4 * kib},
	{"get-16m", "GET 16 MiB, 4 clients", get, 4, 16 * mib},
	{"head", "HEAD, 16 clients", head, 16, 4 * kib},
	{"list", "LIST 1,000 of 10,000 keys, 4 clients", list, 4, 4 * kib},
	{"mixed", "mixed 60/20/15/5 get/head/put/delete, 16 KiB, 16 clients", mixed, 16, 16 * kib},
}

// inBytes reports whether the rate that matters is that of bytes.
func (w workload) inBytes() bool { return w.bytes >= mib }

// fits reports whether a server can be measured with w.
func (w workload) fits(s *server) bool { return w.kind != list || !s.stub }

func workloadNames() []string {
	var names []string
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return names
}

// selectWorkloads returns the named workloads in the table's order; all where none is named. A name may be the
// beginning of several.
func selectWorkloads(names []string) ([]workload, error) {
	if len(names) == 0 {
		return workloads, nil
	}
	chosen := make(map[string]bool)
	for _, name := range names {
		found := false
		for _, w := range workloads {
			if strings.HasPrefix(w.name, name) {
				chosen[w.name], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no workload %q: choose of %s", name, strings.Join(workloadNames(), ", "))
		}
	}
	var selected []workload
	for _, w := range workloads {
		if chosen[w.name] {
			selected = append(selected, w)
		}
	}
	return selected, nil
}

// bucketFor is the bucket that objects of a size are kept in, to be read or written. The size is in the name so that the
// empty server knows how much to answer.
func bucketFor(use string, bytes int) string { return fmt.Sprintf("%s-%d", use, bytes) }

// keyOf is the n-th key of a bucket: spread over 256 prefixes, in no order that n shows.
func keyOf(n uint64) string {
	// The finalizer of splitmix64, a bijection: different numbers have different keys.
	z := n + 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	z ^= z >> 31
	return fmt.Sprintf("%02x/%016x", z>>56, z)
}

package memtable

import (
	"hash/maphash"
	"sync/atomic"
)

// filterBits are about ten for each key of a journal file of the usual size. With more keys the filter is of less use.
const filterBits = 1 << 17

var filterSeed = maphash.MakeSeed()

// filter knows of most keys that are not in the map that they are not: a Bloom filter with two bits for each key. Most
// lookups are of such keys, which all layers are asked for before the database.
type filter [filterBits / 32]uint32

func hash(table byte, key []byte) uint64 {
	return maphash.Bytes(filterSeed, key) ^ uint64(table)*0x9e3779b97f4a7c15
}

func (f *filter) add(table byte, key []byte) {
	h := hash(table, key)
	for _, bit := range [2]uint64{h % filterBits, (h >> 32) % filterBits} {
		atomic.OrUint32(&f[bit/32], 1<<(bit%32))
	}
}

func (f *filter) mayHave(table byte, key []byte) bool {
	h := hash(table, key)
	for _, bit := range [2]uint64{h % filterBits, (h >> 32) % filterBits} {
		if atomic.LoadUint32(&f[bit/32])&(1<<(bit%32)) == 0 {
			return false
		}
	}
	return true
}

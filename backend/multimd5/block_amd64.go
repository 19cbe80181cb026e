package multimd5

import "golang.org/x/sys/cpu"

// haveVectors says that blocks16 can be called: AVX-512F has all that it uses.
var haveVectors = cpu.X86.HasAVX512F

// blocks16 hashes n blocks of 64 bytes, n > 0, of each of 16 streams: the next of lane i is at lanes[i]. The state has a, b,
// c and d of all lanes; constants are those of the 64 steps.
//
//go:noescape
func blocks16(state *[4][lanes]uint32, next *[lanes]*byte, constants *[64]uint32, n int)

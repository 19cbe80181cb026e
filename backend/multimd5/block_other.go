//go:build !amd64

package multimd5

const haveVectors = false

func blocks16(*[4][lanes]uint32, *[lanes]*byte, *[64]uint32, int) {
	panic("multimd5: there are no vectors")
}

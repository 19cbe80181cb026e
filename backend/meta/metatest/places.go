package metatest

import (
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// testPlaces: a place is kept with its blob, told by Blobs, changed by MoveBlobs only where it is what the mover takes it
// to be, and given back when the blob is freed, without a garbage row.
func testPlaces(f *fixture) {
	f.must(createBucket("b"))
	placed := func(first int, place uint64, sizes ...int64) meta.Object {
		o := object(first, sizes...)
		for i := range o.Segments {
			o.Segments[i].Place = place + uint64(i)
		}
		return o
	}
	f.must(put("b", "k", placed(1, 100, 10, 20)))
	f.must(put("b", "plain", object(3, 30)))
	f.must(meta.PutObject{Bucket: "b", Key: "copy", Object: object(1, 10, 20), Shared: true})
	for _, s := range f.stat("b", "k").Segments {
		if s.Place != 0 {
			f.Errorf("a segment that was read has the place %d", s.Place)
		}
	}
	rows := func(want ...meta.BlobRow) {
		f.Helper()
		ids := make([]meta.BlobID, 0, len(want))
		var known []meta.BlobRow
		for _, row := range want {
			ids = append(ids, row.Blob)
			if row.References > 0 {
				known = append(known, row)
			}
		}
		if got, err := f.repo.Blobs(background, ids); err != nil || !slices.Equal(got, want) {
			f.Errorf("Blobs: %+v, %v; want %+v", got, err, want)
		}
		var scanned []meta.BlobRow
		for after := (meta.BlobID{}); ; {
			page, err := f.repo.ScanBlobs(background, after, 1)
			if err != nil || len(page) == 0 {
				if err != nil {
					f.Errorf("ScanBlobs: %v", err)
				}
				break
			}
			scanned, after = append(scanned, page...), page[0].Blob
		}
		if !slices.Equal(scanned, known) {
			f.Errorf("ScanBlobs: %+v, want %+v", scanned, known)
		}
	}
	rows(
		meta.BlobRow{Blob: blob(1), Size: 10, References: 2, Place: 100},
		meta.BlobRow{Blob: blob(2), Size: 20, References: 2, Place: 101},
		meta.BlobRow{Blob: blob(3), Size: 30, References: 1},
		meta.BlobRow{Blob: blob(4)},
	)
	moved := f.must(meta.MoveBlobs{Moves: []meta.Move{
		{Blob: blob(1), From: 100, To: 200},
		{Blob: blob(2), From: 100, To: 201},
		{Blob: blob(3), From: 5, To: 202},
		{Blob: blob(4), From: 5, To: 203},
	}}).Moved
	if want := []bool{true, false, false, false}; !slices.Equal(moved, want) {
		f.Errorf("moved %v, want %v", moved, want)
	}
	f.must(meta.DeleteObject{Bucket: "b", Key: "k"})
	freed := f.must(meta.DeleteObject{Bucket: "b", Key: "copy"}).Garbage
	want := []meta.Segment{{Blob: blob(1), Size: 10, Place: 200}, {Blob: blob(2), Size: 20, Place: 101}}
	if !slices.Equal(freed, want) {
		f.Errorf("freed %+v, want %+v", freed, want)
	}
	garbage, err := f.repo.Garbage(background, meta.BlobID{}, 10)
	if err != nil || len(garbage) != 0 {
		f.Errorf("garbage rows %x, %v", garbage, err)
	}
	rows(meta.BlobRow{Blob: blob(1)}, meta.BlobRow{Blob: blob(2)}, meta.BlobRow{Blob: blob(3), Size: 30, References: 1})
	// What a repair restores is taken as it is.
	whole := meta.BlobRow{Blob: blob(3), Size: 30, References: 1}
	wrong := meta.BlobRow{Blob: blob(3), Size: 31, References: 7, Place: 9}
	f.must(meta.RestoreBlobs{Rows: []meta.BlobRow{wrong}})
	rows(meta.BlobRow{Blob: blob(1)}, wrong)
	f.must(meta.RestoreBlobs{Rows: []meta.BlobRow{{Blob: blob(3)}}})
	rows(meta.BlobRow{Blob: blob(1)}, meta.BlobRow{Blob: blob(3)})
	f.must(meta.RestoreBlobs{Rows: []meta.BlobRow{whole}})
	rows(whole)
}

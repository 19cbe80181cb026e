package packs

import (
	"bytes"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// windowBytes is how much a scan reads at once where it needs no more.
const windowBytes = 64 << 10

// found is what a scan meets: a record, or damage.
type found struct {
	header        // kindNone: a stretch of bytes that is no record
	offset  int64 // in the pack
	bytes   int64 // of the file
	damaged bool  // what was written here is not what is here; of a blob whose header is whole the id is right
}

// window is a part of a file in memory.
type window struct {
	file  file
	limit int64 // the file is read up to here
	p     []byte
	start int64 // of p in the file
}

// at returns the bytes of the file from offset: at least n, or up to the limit or the end of the file.
func (w *window) at(offset int64, n int) ([]byte, error) {
	n = int(min(int64(n), w.limit-offset))
	if n <= 0 {
		return nil, nil
	}
	if offset >= w.start && offset+int64(n) <= w.start+int64(len(w.p)) {
		return w.p[offset-w.start:], nil
	}
	want := int(min(int64(max(n, windowBytes)), w.limit-offset))
	if cap(w.p) < want {
		w.p = make([]byte, want)
	}
	got, err := w.file.readAt(w.p[:want], offset)
	if err != nil {
		w.p = w.p[:0]
		return nil, err
	}
	w.p, w.start = w.p[:got], offset
	return w.p, nil
}

// scan visits the records of a pack between from and limit, in their order, and the stretches between them that are no
// record, until visit returns an error, which it returns. Damage does not hide what follows: the scan goes on at the next
// header that was written to the place where it stands, and whose payload is whole. It returns where the last whole
// record ends.
//
// With recovering, the payloads of blobs are read and checked too, and what comes after the last whole record is not
// visited: it is a torn tail. Otherwise all bytes up to limit are known to have been written.
//
// A scan holds one record, at most, or windowBytes in memory.
func scan(f file, number uint32, from, limit int64, recovering bool, visit func(found) error) (end int64, err error) {
	w := &window{file: f, limit: limit}
	end = from
	var held []found // damage that no whole record follows so far
	release := func() error {
		for _, damage := range held {
			if err := visit(damage); err != nil {
				return err
			}
		}
		held = held[:0]
		return nil
	}
	for at := from; at < limit; {
		one, err := recordAt(w, number, at, recovering)
		if err != nil {
			return end, err
		}
		if one.kind == kindNone {
			next, err := resync(w, number, at+alignBytes)
			if err != nil {
				return end, err
			}
			if next < 0 {
				next = limit
			}
			one.bytes = next - at
		}
		at += one.bytes
		if one.damaged {
			held = append(held, one)
			continue
		}
		if err := release(); err != nil {
			return end, err
		}
		if err := visit(one); err != nil {
			return end, err
		}
		end = at
	}
	if recovering {
		return end, nil
	}
	return end, release()
}

// recordAt reads the record at an offset. Its kind is kindNone where none is there.
func recordAt(w *window, number uint32, at int64, payload bool) (found, error) {
	none := found{offset: at, damaged: true}
	p, err := w.at(at, headerBytes)
	if err != nil {
		return none, err
	}
	h, ok := parseHeader(p, placeOf(number, at))
	if !ok {
		return none, nil
	}
	n := int64(recordBytes(h.length))
	if n > w.limit-at {
		return none, nil
	}
	one := found{header: h, offset: at, bytes: n}
	if payload && h.kind != kindFiller {
		if p, err = w.at(at, int(n)); err != nil {
			return none, err
		}
		one.damaged = !checkPayload(p, h.length)
	}
	return one, nil
}

// resync returns the offset of the first whole record from an offset on, or -1 where there is none.
func resync(w *window, number uint32, at int64) (int64, error) {
	for at < w.limit {
		p, err := w.at(at, headerBytes)
		if err != nil {
			return -1, err
		}
		if len(p) < headerBytes {
			return -1, nil
		}
		i := bytes.Index(p, []byte(magicPrefix))
		if i < 0 {
			at += int64(len(p)-len(magicPrefix)+1) &^ (alignBytes - 1)
			continue
		}
		if i%alignBytes != 0 {
			at += int64(i+alignBytes-1) &^ (alignBytes - 1)
			continue
		}
		at += int64(i)
		one, err := recordAt(w, number, at, true)
		if err != nil {
			return -1, err
		}
		if one.kind != kindNone && !one.damaged {
			return at, nil
		}
		at += alignBytes
	}
	return -1, nil
}

// ref names the blob that was found.
func (f found) ref(number uint32) blob.Ref {
	return blob.Ref{ID: f.id, Size: int64(f.length), Place: placeOf(number, f.offset)}
}

// Package bolt keeps the store's metadata in one file, with go.etcd.io/bbolt. It implements meta.Repository; nothing
// else in the program knows of bbolt.
//
// # Invariants
//
//   - Every blob that an object or a part names has a blobs row; its References is the number of times that segments
//     name it. A blob without references has a garbage row instead, written in the transaction that took the last one,
//     unless it had a place: then its store has only to be told.
//   - The usage row of a bucket is the sum over its object, upload and part rows, that of the server the sum over the
//     buckets. Both are written in the transaction that changes those rows.
//   - A mutation checks everything before it writes anything, so that a refused one leaves the transaction as it was.
//
// # Concurrency
//
// All methods may be called concurrently. Commits are serialised. Reads run in bbolt's read transactions, which see the
// last commit and wait for nobody, and copy what they return. A transaction is held over a caller's code in Walk only.
//
// # Errors
//
// Those of package meta. Arguments that cannot be stored (an empty key, a blob stored twice as new, sizes that do not
// add up) are refused with an error of their own: they are mistakes of the caller. A row, or a page, that cannot be
// read back is an error that wraps meta.ErrCorrupt. A failed Commit wraps the system's error. After one, Commit looks
// whether the transaction became visible all the same (the sync after the last write is what failed), takes it back if
// so, and reopens the file where bbolt cannot go on; only where that fails too does the repository refuse further work.
//
// # Format 1
//
// Tables are bbolt buckets at the root. uv is an unsigned varint in its shortest form, tv a zigzag varint of
// milliseconds since 1970, str and bytes a uv length and that many bytes, id 16 bytes, n* a uv count and that many.
//
//	table    key                                       value between version and checksum
//	format   "version"                                 uv format
//	buckets  name                                      tv created, str owner
//	objects  name 00 key                               head, CRC, attributes, n*segment, n*head of a part
//	uploads  name 00 esc(key) 00 01 esc(upload) 00 01  uv bytes of its parts, tv initiated, str owner, attributes,
//	                                                   byte algorithm, byte type
//	parts    (key in uploads) number, 2 bytes          uv size, str etag, tv modified, checksum, n*segment
//	blobs    id                                        uv size, uv references, uv place
//	garbage  id                                        nothing
//	limits   scope                                     uv bytes, uv objects; no row where there is no limit
//	usage    scope                                     uv bytes, uv objects, uv bytes of parts, uv uploads
//
//	every value:  | version 01 | fields ... | CRC |
//	an object:    | version 01 | head | CRC of all before | attributes | segments | parts | CRC of all before |
//
//	head          uv size, str etag, tv modified, checksum, str class, str owner
//	checksum      byte algorithm, byte type, bytes value, uv parts
//	attributes    seven str in the order of meta.Attributes, n*(str name, str value) by name
//	segment       id, uv size
//	head of part  uv number, uv size, bytes checksum
//	scope         "s" for the server, "b" name for a bucket
//
// CRC is a CRC-32C, big-endian, over the table's name, a zero byte, the key, and all of the value before it: a row that
// ends up under another key is as corrupt as one with a flipped bit. The head of an object has its own, so that a
// listing reads and verifies the first bytes of a value whose rest may fill a hundred pages.
//
// esc keeps the order of keys and makes room for a terminator below every continuation: 00 becomes 00 FF. So uploads
// sort by key, then by id, whatever bytes a key has. In objects the key stands last and needs no terminator; names of
// buckets have no zero byte.
//
// A file of a newer format is refused before anything is written to it.
package bolt

// Package bolt keeps the store's metadata in a database, with go.etcd.io/bbolt, and a journal of what the database does
// not have yet. It implements meta.Repository; nothing else in the program knows of bbolt.
//
// # Files
//
// The database alone is not the store's metadata: it belongs together with the two files of its journal, and Open refuses
// one without the other.
//
//	meta.db             tables, a bbolt bucket each
//	meta.db.journal.0   records of batches; package journal draws them
//	meta.db.journal.1
//
// # How a batch is committed
//
//	Commit -> record in the active journal file, synced -> layer 0, in memory -> readers
//	                                                          |  the file is full: frozen, the other is the active one
//	                                                       layer 1, in memory
//	                                                          |  flush, in the background
//	                                                       database
//
// The mutations run on rows that hide those of the layers, which hide those of the database. What they have written is
// one record, and one sync makes it durable; then readers get the layer's next version. When a file of the journal is
// full, or some time has passed, its layer is frozen, and the other file takes over. The flusher writes the frozen rows
// to the database in the order of their keys, in transactions of a bounded size, the last of which says up to which
// record the database now has everything; then the layer is forgotten, and its file may be used again. If the other one
// is full before that, Commit waits, or flushes itself. Close flushes all.
//
// A record's sync takes the place of two by bbolt, and bbolt's work for a batch of some ten rows, which is nearly the
// same as for a thousand, is done in bulk.
//
// # Why nothing is lost
//
//   - A batch is acknowledged when its record is durable. Its record stays in the journal until the database says,
//     durably, that it has all rows up to that record: a file begins anew only when all of its records are below that
//     number.
//   - Open replays all records above that number into the layers, in order, as they were before. To flush the rows of a
//     record twice, or the first of them only and all of them after a restart, ends in the same: a row is a key with a
//     value, or without.
//   - A reader sees a flushed row in the layer until it is in the database: it takes the layers first and begins its
//     transaction then, and takes both again if the active layer was frozen in between.
//   - A record whose Append failed is overwritten before Commit returns; package journal says how, and what happens when
//     that fails as well: no batch is accepted then until it is done.
//   - The journal's space is taken when the files are made. On a full disk batches are accepted until the active file is
//     full, deletes among them. Then flushes need room: a file has a mebibyte at most, so a few of them are enough.
//
// # Invariants
//
//   - Every blob that an object or a part names has a blobs row; its References is the number of times that segments
//     name it. A blob without references has a garbage row instead, written in the transaction that took the last one,
//     unless it had a place: then its store has only to be told.
//   - The latest version of a key is in objects, where that is an object. All others, and every delete marker, are in
//     versions: a key that has rows in versions only has a delete marker as the newest of them. nulls leads to the null
//     version of a key where that is in versions. So a bucket that has never kept versions has rows in objects only, and
//     costs what it would cost without versions.
//   - The usage row of a bucket is the sum over its object, version, upload and part rows, that of an owner the sum over
//     their buckets, that of the server the sum over all. They are written in the transaction that changes those rows.
//   - An owner has a usage row while they own a bucket or have a limit.
//   - The row of the outbox, behind all events, tells the last sequence that was ever used, and how many events
//     are there. Sequences go on from it, also where no event is left.
//   - A prefix has a row in limits and one in usage, or neither. Its usage row is the sum over the rows of its keys; while
//     it is being counted, over those of the keys up to the one that it names. That is moved on, and what lies between is
//     added, in one transaction, so that counting goes on after a crash where it was.
//   - A mutation checks everything before it writes anything, so that a refused one leaves the batch as it was.
//
// # Concurrency
//
// All methods may be called concurrently. Commits are serialised, and so are flushes, beside them. Reads see the last
// commit, wait for no sync, and copy what they return: a snapshot is a read transaction of bbolt and the layers up to a
// version. It is held over a caller's code in Walk and WalkVersions only. Open starts one goroutine, the flusher, which Close stops.
//
// # Errors
//
// Those of package meta. Arguments that cannot be stored (an empty key, a blob stored twice as new, sizes that do not
// add up) are refused with an error of their own: they are mistakes of the caller. A row, or a page, that cannot be
// read back is an error that wraps meta.ErrCorrupt. A failed Commit wraps the system's error, and none of its batch
// is stored. A flush that fails is nobody's error until the journal is full; then it is that of every Commit, which tries
// it again. Where bbolt cannot go on after one it is opened again; only if that fails does the repository refuse
// everything that follows. What was acknowledged is in the journal.
//
// # Format 1
//
// Tables are bbolt buckets at the root. uv is an unsigned varint in its shortest form, tv a zigzag varint of
// milliseconds since 1970, str and bytes a uv length and that many bytes, id 16 bytes, n* a uv count and that many.
//
//	table    key                                       value between version and checksum
//	format   "version"                                 uv format
//	format   "journal"                                 the journal's id, uv number of the last record that was flushed
//	buckets  name                                      tv created, str owner, byte versioning, byte object lock
//	objects  name 00 key                               an object
//	versions name 00 esc(key) 00 01 inverted position  an object or a delete marker
//	nulls    name 00 key                               position of the null version, where that is in versions
//	configs  name 00 kind                              bytes
//	records  kind 00 name                              bytes
//	uploads  name 00 esc(key) 00 01 esc(upload) 00 01  uv bytes of its parts, tv initiated, str owner, settings,
//	                                                   attributes, byte algorithm, byte type
//	parts    (key in uploads) number, 2 bytes          uv size, str etag, tv modified, checksum, n*segment
//	blobs    id                                        uv size, uv references, uv place
//	garbage  id                                        nothing
//	limits   scope                                     uv bytes, uv objects; no row where there is no limit
//	events   sequence, 8 bytes                         bytes
//	events   8 bytes ff                                uv last sequence, uv events, uv bytes of their values
//	usage    scope                                     uv bytes, uv objects, uv bytes of parts, uv uploads,
//	                                                   uv noncurrent objects, uv delete markers; of a prefix also
//	                                                   byte counting, str counted up to, where it is counting
//
//	every value:  | version 01 | fields ... | CRC |
//	an object:    | version 01 | head | CRC of all before | settings | attributes | segments | parts | CRC of all before |
//	a marker:     | version 01 | identity | tv modified | str owner | CRC |
//
//	head          identity, uv size, str etag, tv modified, checksum, str class, str owner
//	identity      byte state: 0 the null version at the zero position; else a position follows: 1 the null version,
//	              2 a version, 3 a delete marker that is the null version, 4 a delete marker
//	position      16 bytes, a ULID: 6 of milliseconds, 2 of a counter, 8 random. In keys each byte is inverted, so that
//	              the newest version comes first
//	checksum      byte algorithm, byte type, bytes value, uv parts
//	settings      n*(str tag, str value), byte retention mode, tv until where there is a mode, byte legal hold,
//	              bytes acl, bytes encryption
//	attributes    eight str in the order of meta.Attributes, n*(str name, str value) by name
//	segment       id, uv size, uv stored size where that is not the size, else 0
//	head of part  uv number, uv size, bytes checksum
//	scope         "s" for the server, "o" name for an owner, "b" name for a bucket, "p" name 00 prefix
//
// CRC is a CRC-32C, big-endian, over the table's name, a zero byte, the key, and all of the value before it: a row that
// ends up under another key is as corrupt as one with a flipped bit. The head of an object has its own, so that a
// listing reads and verifies the first bytes of a value whose rest may fill a hundred pages.
//
// esc keeps the order of keys and makes room for a terminator below every continuation: 00 becomes 00 FF. So uploads
// sort by key, then by id, and versions by key, then from the newest on, whatever bytes a key has. In objects the key
// stands last and needs no terminator; names of buckets have no zero byte.
//
// The journal calls a table by its place among dataTables, from 1. The format table is not journaled.
//
// A file of a newer format is refused before anything is written to it.
package bolt

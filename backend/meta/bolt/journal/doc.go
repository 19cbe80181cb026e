// Package journal keeps the writes of batches in two files, which take turns, until they are in the database for good.
//
// A record is durable when Append returns: it costs one write and one sync of a part of a file whose blocks are there
// already, so that no other metadata of the file system has to be written. When the file in turn has no room for a
// record, and all records of the other are in the database, Switch makes the other one begin anew.
//
// # Format 1
//
// Numbers are little-endian. The header is written when the file is made and never again.
//
//	file:    | plimjrnl | format u32 | number u32 | id, 16 bytes | CRC u32 | zeros up to 4096 | record | record | ...
//	record:  | plrc | length u32 | sequence u64 | CRC of the payload u32 | CRC of all before u32 | payload | zeros |
//	payload: rows
//	row:     | table | uv key's length | key | uv value's length + 1, 0 where the key is deleted | value |
//
// Records begin at multiples of 8 bytes; uv is an unsigned varint in its shortest form. The CRCs are CRC-32C. Those of a
// record begin with the id, which is drawn at random for each store and known to nobody: what clients have stored in a
// key or a value cannot pass for a record, and neither can a record of another store.
//
// # What is a record, and what is left of an old one
//
// Sequence numbers rise by one from record to record, through both files, and are never given to two records that may
// both be found. The database knows the number up to which it holds everything. When a file begins anew, all that is in
// it has numbers up to that one: a number tells whether a record is still needed, so nothing has to be erased, and
// the header need not be written again.
//
// Replay reads the records of each file from its start for as long as they are whole and their numbers rise by one. A
// record that is torn ends the file: its Append has not returned. It cannot be a durable one that was damaged later if no
// newer record is found behind it, since each is written when the one before is durable; so if one is found, that is
// corruption, as are a number that is missing between the database and the first record, or between the files. (A
// damaged last record cannot be told from a torn one.) Without Sync that holds after the end of a process, but not after
// that of the machine.
//
// # Failure
//
// When Append fails, its record may be on the disk in whole or in part. It is overwritten with zeros, and these are made
// durable, before Append returns. Where that fails as well, no record is accepted until Mend has done it, and Last counts
// the record's number: a database that holds everything up to Last makes the record one that is not needed. A sync that
// succeeds after one that failed proves nothing for what was written before, but the zeros are written in between, over
// every block that was not durable.
//
// # Concurrency
//
// A Journal is used by one goroutine at a time.
package journal

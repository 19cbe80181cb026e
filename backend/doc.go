// Package backend is the store: one method and one file per S3 operation, each of which ends in at most one metadata
// transaction. It knows nothing of HTTP, XML or status codes.
//
// # Order of things
//
// An operation that stores bytes first asks the ledger, before it reads any of its body, whether they fit, and holds
// the space (a reservation). It streams the body once into a blob and hands a mutation to the committer. The committer
// is the only goroutine that commits: it takes everything that is queued, makes the blobs durable together, applies
// the mutations in one transaction, updates the ledger, releases the reservations, and answers. What is answered is on
// disk. The quota decision of the transaction is the final one.
//
// A crash before the transaction leaves a blob that nothing refers to, which the next start sweeps; a crash after it
// leaves the object. Blobs that lost their last reference are listed as garbage in the same transaction and deleted
// after it, once no download reads them.
//
// # Events
//
// What others want to be told of, and the crossing of thresholds, is added to an outbox in the transaction that it tells
// of (events.go), so that an event is there exactly when its object is. The outbox is bounded: where it is full, events
// are dropped and counted, and nothing waits. Sending them is the business of others.
//
// # Beside the operations
//
// Goroutines that Close stops sweep, compact, expire, and write down once in an hour what every scope holds (package
// history). Reports of where a bucket's space is are made one at a time, from one snapshot of the metadata, and rest more
// than they work. All of them hold rows a page at a time, and change things in small batches through the committer.
//
// # Limits
//
// What is stored under a key has to fit in its bucket, in the buckets of its owner, on the server, and under each of its
// prefixes that has a limit. A prefix that gets one is counted up in steps among the other mutations: until that is done its
// usage is what has been counted, a lower bound, so that nothing is refused that fits. See count_prefixes.go.
//
// # Encryption
//
// Blobs are encrypted on their way in, and decrypted on their way out, under a data key that the caller wraps and
// unwraps: see WrapKey. Quotas count the bytes as they were sent; the disk, and check, what is stored.
//
// # Errors
//
// Refusals are typed by what the caller can do: *quota.ExceededError, *InsufficientStorageError, the sentinels of
// package meta (ErrNoSuchBucket, ErrNoSuchKey, ...) and those in errors.go. Everything else is a fault of the machine.
//
// All methods of Store are safe for concurrent use. Memory per request is one copy buffer of at most 256 KiB beside
// what the blob store needs, and a chunk of 64 KiB where it is encrypted; nothing is proportional to the size of an
// object, and CompleteMultipartUpload holds the rows of its parts (at most 10,000).
package backend

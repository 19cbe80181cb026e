// Package audit keeps the log of what administrators change: who, from where, what, before and after, and what came of
// it. Whatever serves an administrator writes to it: the admin API, and the other dialects in which limits and users can
// be changed.
//
// # What is promised
//
// No change is made that is not recorded. Begin writes that a change is about to be made, and returns when that is on the
// disk; only then the change is made. End writes what came of it, and returns when that is on the disk; only then it is
// answered. A crash in between leaves a beginning without an end: the next Open ends it with the result "unknown".
//
// When the log cannot be written, as on a full disk, Begin fails and the change must not be made. The server goes on
// serving all else. The space of a file is taken when it is made, where the system can do that, so that a full disk
// leaves room for the rest of it: some thousand changes, which may be what is needed to make room. An End that cannot be
// written is kept in memory and written before the next Begin is.
//
// Attempts that were denied are recorded without a beginning and without waiting for the disk. Strangers can cause them:
// they are recorded at a bounded rate, what comes beyond that is counted, and they have files of their own, so that they
// cannot push out records of changes.
//
// # Files
//
//	audit.log                 the changes, newest last
//	audit.log.00000000000123  older ones; the number is that of the first record. The oldest are removed
//	audit-denied.log          denied attempts, and one older file, likewise
//
// Each line is a JSON object: a record (adminapi.AuditRecord), or, with the result "begun", a beginning. The first line
// of a file has {"first": N, "open": [...]}: the number of its first record, and the beginnings that had no end when the
// file was made, so that Open has to read the newest file only. A line that is cut off at the end of a file was never
// acknowledged, and is removed by Open.
//
// Numbers rise by one over both logs together. Some are those of beginnings, which Read does not return.
//
// # How it is used
//
//	err := log.Do(audit.Record{User: who, AccessKey: key, Remote: from, RequestID: id, Via: "minio",
//		Action: "SetBucketQuota", Resource: "quotas/buckets/photos"}, func() (before, after any, err error) {
//		// make the change
//	}, verdict)
//	if err != nil {
//		return err // errors.Is(err, audit.ErrUnavailable): 507 where the disk is full, else 503
//	}
//	// answer
//
// Resources are named as the admin API names them, whatever the dialect, so that one search finds all changes of one.
//
// A Log may be used concurrently. A reader is not disturbed by rotation: it holds the files that it reads. The methods of
// a nil *Log do nothing, for servers that keep no log.
package audit

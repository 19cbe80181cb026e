package metatest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/plimsoll/plimsoll/backend/meta"
)

func testConfigs(f *fixture) {
	config := func(bucket meta.BucketName, kind meta.ConfigKind, value string) meta.PutBucketConfig {
		return meta.PutBucketConfig{Bucket: bucket, Kind: kind, Value: []byte(value)}
	}
	f.refused(config("b", "cors", "1"), meta.ErrNoSuchBucket)
	m := createBucket("b")
	m.Configs = []meta.Config{{Kind: "policy", Value: []byte("p")}, {Kind: "acl", Value: []byte{}}}
	f.must(m, createBucket("b.c"), config("b.c", "policy", "other"), config("b", "cors", "c"), config("b", "policy", "q"))
	f.reopen()
	list := func(want string) {
		f.Helper()
		configs, err := f.repo.BucketConfigs(background, "b")
		var got []string
		for _, c := range configs {
			got = append(got, fmt.Sprintf("%s=%s", c.Kind, c.Value))
			value, err := f.repo.BucketConfig(background, "b", c.Kind)
			if err != nil || value == nil || string(value) != string(c.Value) {
				f.Errorf("BucketConfig(%s): %q, %v", c.Kind, value, err)
			}
		}
		if err != nil || strings.Join(got, " ") != want {
			f.Errorf("BucketConfigs: %q, %v, want %s", got, err, want)
		}
	}
	list("acl= cors=c policy=q")
	f.must(meta.PutBucketConfig{Bucket: "b", Kind: "cors"}, meta.PutBucketConfig{Bucket: "b", Kind: "cors"})
	list("acl= policy=q")
	if _, err := f.repo.BucketConfig(background, "b", "cors"); !errors.Is(err, meta.ErrNoSuchConfig) {
		f.Errorf("BucketConfig of none: %v", err)
	}
	if _, err := f.repo.BucketConfig(background, "x", "cors"); !errors.Is(err, meta.ErrNoSuchBucket) {
		f.Errorf("BucketConfig of no bucket: %v", err)
	}
	if _, err := f.repo.BucketConfigs(background, "x"); !errors.Is(err, meta.ErrNoSuchBucket) {
		f.Errorf("BucketConfigs of no bucket: %v", err)
	}
	f.must(meta.DeleteBucket{Bucket: "b"}, createBucket("b"))
	list("")
	for _, bad := range []meta.ConfigKind{"", "a\x00", meta.ConfigKind(strings.Repeat("k", 65))} {
		if r := f.commit(config("b", bad, "1"))[0]; r.Err == nil {
			f.Errorf("a configuration of kind %q was stored", bad)
		}
	}
}

func record(kind meta.RecordKind, name, value string) meta.PutRecord {
	return meta.PutRecord{Kind: kind, Name: name, Value: []byte(value)}
}

func testRecords(f *fixture) {
	if got := f.page("user", "", 9); got != "" {
		f.Errorf("records of an empty repository: %s", got)
	}
	f.must(record("user", "ada", "1"), record("user", "b", "2"), record("user", "b\x00b", "3"), record("users", "b", "4"))
	f.must(record("user", "b", "5"), record("key", "\xff", ""))
	f.reopen()
	for _, test := range []struct {
		kind  meta.RecordKind
		after string
		limit int
		want  string
	}{
		{"user", "", 9, `"ada"=1 "b"=5 "b\x00b"=3`},
		{"user", "", 1, `"ada"=1`},
		{"user", "ada", 1, `"b"=5`},
		{"user", "b", 9, `"b\x00b"=3`},
		{"user", "a", 1, `"ada"=1`},
		{"user", "b\x00b", 9, ``},
		{"users", "", 9, `"b"=4`},
		{"key", "", 9, `"\xff"=`},
		{"none", "", 9, ``},
	} {
		if got := f.page(test.kind, test.after, test.limit); got != test.want {
			f.Errorf("%+v: %s", test, got)
		}
	}
	if value, err := f.repo.Record(background, "user", "b"); err != nil || string(value) != "5" {
		f.Errorf("Record: %q, %v", value, err)
	}
	if value, err := f.repo.Record(background, "key", "\xff"); err != nil || value == nil {
		f.Errorf("Record that is empty: %q, %v", value, err)
	}
	f.must(meta.PutRecord{Kind: "user", Name: "b"}, meta.PutRecord{Kind: "user", Name: "b"})
	if _, err := f.repo.Record(background, "user", "b"); !errors.Is(err, meta.ErrNoSuchRecord) {
		f.Errorf("Record of none: %v", err)
	}
	if got := f.accounts(); len(got) != 1 {
		f.Errorf("accounts: %+v", got)
	}
}

// page describes a page of records.
func (f *fixture) page(kind meta.RecordKind, after string, limit int) string {
	f.Helper()
	records, err := f.repo.Records(background, kind, after, limit)
	if err != nil {
		f.Errorf("Records: %v", err)
	}
	var got []string
	for _, r := range records {
		if r.Kind != kind {
			f.Errorf("record %+v is of another kind than %s", r, kind)
		}
		got = append(got, fmt.Sprintf("%q=%s", r.Name, r.Value))
	}
	return strings.Join(got, " ")
}

func testRecordConditions(f *fixture) {
	equals := func(r meta.PutRecord, old string) meta.PutRecord {
		r.Condition.Equals = []byte(old)
		return r
	}
	absent := func(r meta.PutRecord) meta.PutRecord {
		r.Condition.Absent = true
		return r
	}
	nothing := func(r meta.PutRecord) meta.PutRecord {
		r.Value = nil
		return r
	}
	a := record("user", "a", "1")
	f.refused(equals(a, "1"), meta.ErrRecordConflict)
	f.refused(equals(a, ""), meta.ErrRecordConflict)
	f.must(absent(a))
	f.refused(absent(a), meta.ErrRecordConflict)
	f.refused(equals(record("user", "a", "2"), "2"), meta.ErrRecordConflict)
	f.refused(nothing(equals(a, "2")), meta.ErrRecordConflict)
	f.must(equals(record("user", "a", ""), "1"), equals(record("user", "a", "2"), ""))
	// Together: none where one condition does not hold.
	f.refused(meta.PutRecords{Records: []meta.PutRecord{
		record("user", "b", "1"), absent(record("key", "k", "1")), equals(a, "1"),
	}}, meta.ErrRecordConflict)
	if got := f.page("user", "", 9) + f.page("key", "", 9); got != `"a"=2` {
		f.Errorf("records after a refusal: %s", got)
	}
	f.must(meta.PutRecords{Records: []meta.PutRecord{
		record("user", "b", "1"), absent(record("key", "k", "1")), nothing(equals(a, "2")),
	}})
	if got := f.page("user", "", 9) + " " + f.page("key", "", 9); got != `"b"=1 "k"=1` {
		f.Errorf("records: %s", got)
	}
	// Within a batch, each sees what those before it have made.
	results := f.commit(
		absent(record("key", "l", "1")), absent(record("key", "l", "2")), equals(record("key", "l", "3"), "1"),
	)
	var errs []error
	for _, r := range results {
		errs = append(errs, r.Err)
	}
	if errs[0] != nil || !errors.Is(errs[1], meta.ErrRecordConflict) || errs[2] != nil {
		f.Errorf("errors: %v", errs)
	}
	for _, bad := range []meta.Mutation{
		record("", "a", "1"), record("a\x00", "a", "1"), record("user", "", "1"),
		record("user", strings.Repeat("n", 1025), "1"),
		meta.PutRecords{Records: []meta.PutRecord{record("user", "x", "1"), record("user", "x", "2")}},
	} {
		if r := f.commit(bad)[0]; r.Err == nil {
			f.Errorf("%+v was stored", bad)
		}
	}
	if got := f.page("user", "", 9); got != `"b"=1` {
		f.Errorf("an invalid record is stored: %s", got)
	}
}

package backend

import (
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// TestPrefixesHaveNoHistory: those of their buckets are as if there were none.
func TestPrefixesHaveNoHistory(t *testing.T) {
	f := open(t)
	f.put("raw/a", noise(10, 1))
	f.put("b", noise(7, 1))
	f.limit(raw, quota.Limit{MaxBytes: 100})
	for range 2 {
		if err := f.RecordUsage(background); err != nil {
			t.Fatal(err)
		}
		series, _, err := f.History(background, bucketB)
		if err != nil || len(series.Hours) != 1 || series.Hours[0].Bytes != 17 {
			t.Errorf("%+v, %v", series, err)
		}
		f.limit(raw, quota.Limit{})
	}
	records, err := f.Records(background, RecordHistory, "", 100)
	if err != nil || len(records) != 3 {
		t.Errorf("histories: %+v, %v", names(records), err)
	}
}

func names(records []meta.Record) (all []string) {
	for _, r := range records {
		all = append(all, r.Name)
	}
	return all
}

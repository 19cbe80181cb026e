package s3api

import (
	"crypto/rand"
	"encoding/xml"
	"time"

	"github.com/plimsoll/plimsoll/backend/lifecycle"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// What a rule may be. https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
const (
	maxRuleIDBytes     = 255
	maxNewerNoncurrent = 100
	// maxFilterBytes bounds the sizes that a filter may name: S3's own figure, 1,000 TiB.
	maxFilterBytes = 1000 << 40
)

// lifecycleDocument is a bucket's rules as they are sent. What it does not name would be passed over, and with it what
// the client wants: Unknown is refused.
type lifecycleDocument struct {
	Rules   []lifecycleRule `xml:"Rule"`
	Unknown []unknown       `xml:",any"`
}

type unknown struct{ XMLName xml.Name }

type lifecycleRule struct {
	ID         string               `xml:"ID"`
	Status     string               `xml:"Status"`
	Prefix     *string              `xml:"Prefix"`
	Filter     *lifecycleFilter     `xml:"Filter"`
	Expiration *lifecycleExpiration `xml:"Expiration"`
	Noncurrent *struct {
		Days    *int32    `xml:"NoncurrentDays"`
		Newer   *int32    `xml:"NewerNoncurrentVersions"`
		Unknown []unknown `xml:",any"`
	} `xml:"NoncurrentVersionExpiration"`
	Abort *struct {
		Days    *int32    `xml:"DaysAfterInitiation"`
		Unknown []unknown `xml:",any"`
	} `xml:"AbortIncompleteMultipartUpload"`
	Transitions           []unknown `xml:"Transition"`
	NoncurrentTransitions []unknown `xml:"NoncurrentVersionTransition"`
	Unknown               []unknown `xml:",any"`
}

type lifecycleExpiration struct {
	Days    *int32    `xml:"Days"`
	Date    *string   `xml:"Date"`
	Markers *bool     `xml:"ExpiredObjectDeleteMarker"`
	Unknown []unknown `xml:",any"`
}

type lifecycleFilter struct {
	lifecycleConditions
	And *lifecycleConditions `xml:"And"`
}

type lifecycleConditions struct {
	Prefix  *string        `xml:"Prefix"`
	Tags    []lifecycleTag `xml:"Tag"`
	Greater *int64         `xml:"ObjectSizeGreaterThan"`
	Less    *int64         `xml:"ObjectSizeLessThan"`
	Unknown []unknown      `xml:",any"`
}

type lifecycleTag struct {
	Key   string `xml:"Key"`
	Value string `xml:"Value"`
}

// configuration returns the rules, or S3's refusal of them.
func (d *lifecycleDocument) configuration() (*lifecycle.Configuration, error) {
	switch {
	case len(d.Rules) == 0 || len(d.Unknown) > 0:
		return nil, s3err("MalformedXML")
	case len(d.Rules) > lifecycle.MaxRules:
		return nil, s3err("InvalidRequest", "The number of lifecycle rules must not exceed the allowed limit of "+
			itoa(lifecycle.MaxRules)+" rules.")
	}
	c := &lifecycle.Configuration{Rules: make([]lifecycle.Rule, 0, len(d.Rules))}
	ids := make(map[string]bool, len(d.Rules))
	for i := range d.Rules {
		r, err := d.Rules[i].rule()
		if err != nil {
			return nil, err
		}
		// Prefixes of the rules themselves are the old form of the document, and filters the new one.
		if (r.Filter.Form == lifecycle.FormPrefix) != (d.Rules[0].Filter == nil) {
			return nil, s3err("InvalidRequest", "Filter element can only be used in Lifecycle V2.")
		}
		if r.ID == "" {
			r.ID = rand.Text()
		}
		if ids[r.ID] {
			return nil, invalidArgument("ID", r.ID, "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[r.ID] = true
		c.Rules = append(c.Rules, r)
	}
	return c, nil
}

func (r *lifecycleRule) rule() (lifecycle.Rule, error) {
	rule := lifecycle.Rule{ID: r.ID, Enabled: r.Status == "Enabled"}
	switch {
	case len(r.ID) > maxRuleIDBytes:
		return rule, invalidArgument("ID", r.ID, "ID length should not exceed allowed limit of "+itoa(maxRuleIDBytes))
	case r.Status != "Enabled" && r.Status != "Disabled", len(r.Unknown) > 0, r.Filter == nil && r.Prefix == nil:
		return rule, s3err("MalformedXML")
	case r.Filter != nil && r.Prefix != nil:
		return rule, s3err("InvalidRequest", "Base level prefix cannot be used in Lifecycle V2, prefixes are only "+
			"supported in the Filter.")
	case len(r.Transitions) > 0 || len(r.NoncurrentTransitions) > 0:
		return rule, s3err("NotImplemented", "Transitions between storage classes are not implemented.")
	}
	var err error
	if r.Filter == nil {
		rule.Filter = lifecycle.Filter{Form: lifecycle.FormPrefix, Prefix: *r.Prefix}
	} else if rule.Filter, err = r.Filter.filter(); err != nil {
		return rule, err
	}
	if err := checkFilter(&rule.Filter); err != nil {
		return rule, err
	}
	for _, action := range []func(*lifecycle.Rule) error{r.expiration, r.noncurrent, r.abort} {
		if err := action(&rule); err != nil {
			return rule, err
		}
	}
	expires := rule.ExpireDays > 0 || !rule.ExpireDate.IsZero() || rule.ExpireMarkers
	if !expires && rule.NoncurrentDays == 0 && rule.AbortDays == 0 {
		return rule, s3err("InvalidRequest", "At least one action needs to be specified in a rule.")
	}
	return rule, nil
}

// filter reads a Filter: at most one condition, or an And of at least two.
func (f *lifecycleFilter) filter() (lifecycle.Filter, error) {
	n := f.count()
	switch {
	case f.And != nil:
		if n > 0 || f.And.count() < 2 || len(f.And.Unknown) > 0 || len(f.Unknown) > 0 {
			return lifecycle.Filter{}, s3err("MalformedXML")
		}
		return f.And.as(lifecycle.FormAnd), nil
	case n > 1 || len(f.Unknown) > 0:
		return lifecycle.Filter{}, s3err("MalformedXML")
	case n == 0:
		return lifecycle.Filter{Form: lifecycle.FormEmpty}, nil
	}
	return f.as(lifecycle.FormSingle), nil
}

func (c *lifecycleConditions) count() int {
	n := len(c.Tags)
	for _, set := range []bool{c.Prefix != nil, c.Greater != nil, c.Less != nil} {
		if set {
			n++
		}
	}
	return n
}

func (c *lifecycleConditions) as(form lifecycle.Form) lifecycle.Filter {
	f := lifecycle.Filter{Form: form, SizeGreaterThan: c.Greater, SizeLessThan: c.Less}
	if c.Prefix != nil {
		f.Prefix = *c.Prefix
	}
	for _, t := range c.Tags {
		f.Tags = append(f.Tags, lifecycle.Tag(t))
	}
	return f
}

// checkFilter refuses conditions that S3 does not take.
func checkFilter(f *lifecycle.Filter) error {
	const most = "1099511627776000."
	greater, less := f.SizeGreaterThan, f.SizeLessThan
	switch {
	case len(f.Prefix) > 1024:
		return s3err("InvalidRequest", "The maximum size of a prefix is 1024")
	case greater != nil && (*greater < 0 || *greater > maxFilterBytes):
		return s3err("InvalidRequest", "'ObjectSizeGreaterThan' should be between 0 and "+most)
	case less != nil && (*less < 1 || *less > maxFilterBytes):
		return s3err("InvalidRequest", "'ObjectSizeLessThan' should be between 1 and "+most)
	case greater != nil && less != nil && *less <= *greater:
		return s3err("InvalidRequest", "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
	}
	tags := make([]meta.Tag, 0, len(f.Tags))
	seen := make(map[string]bool, len(f.Tags))
	for _, t := range f.Tags {
		if seen[t.Key] {
			return s3err("InvalidRequest", "Duplicate Tag Keys are not allowed.")
		}
		seen[t.Key] = true
		tags = append(tags, meta.Tag(t))
	}
	return checkTags(tags, maxObjectTags)
}

// expiration reads an Expiration: a number of days, a day, or that of lone delete markers.
func (r *lifecycleRule) expiration(rule *lifecycle.Rule) error {
	e := r.Expiration
	if e == nil {
		return nil
	}
	switch {
	case len(e.Unknown) > 0:
		return s3err("MalformedXML")
	case e.Days != nil && e.Date == nil && e.Markers == nil:
		if *e.Days < 1 {
			return s3err("InvalidArgument", "'Days' for Expiration action must be a positive integer")
		}
		rule.ExpireDays = int(*e.Days)
	case e.Date != nil && e.Days == nil && e.Markers == nil:
		date, err := parseLifecycleDate(*e.Date)
		if err != nil {
			return malformedXML(err)
		}
		if !date.Equal(date.Truncate(24 * time.Hour)) {
			return invalidArgument("Date", *e.Date, "'Date' must be at midnight GMT")
		}
		rule.ExpireDate = date
	case e.Markers != nil && e.Days == nil && e.Date == nil:
		// A marker has neither tags nor a size: such a rule would never do anything.
		if *e.Markers && len(rule.Filter.Tags) > 0 {
			return s3err("InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Tags.")
		}
		if *e.Markers && hasSizes(&rule.Filter) {
			return s3err("InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Object Size.")
		}
		rule.ExpireMarkers = *e.Markers
	default:
		return s3err("MalformedXML")
	}
	return nil
}

func hasSizes(f *lifecycle.Filter) bool { return f.SizeGreaterThan != nil || f.SizeLessThan != nil }

// parseLifecycleDate reads a day as ISO 8601 has it, with or without its time.
func parseLifecycleDate(s string) (time.Time, error) {
	if date, err := time.Parse(time.DateOnly, s); err == nil {
		return date, nil
	}
	date, err := time.Parse(time.RFC3339, s)
	return date.UTC(), err
}

func (r *lifecycleRule) noncurrent(rule *lifecycle.Rule) error {
	n := r.Noncurrent
	if n == nil {
		return nil
	}
	switch {
	case n.Days == nil || len(n.Unknown) > 0:
		return s3err("MalformedXML")
	case *n.Days < 1:
		return s3err("InvalidArgument", "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
	}
	rule.NoncurrentDays = int(*n.Days)
	if n.Newer == nil {
		return nil
	}
	switch {
	case rule.Filter.Form == lifecycle.FormPrefix:
		return s3err("InvalidRequest", "NewerNoncurrentVersions element can only be used in Lifecycle V2.")
	case *n.Newer < 1:
		return s3err("InvalidArgument",
			"'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer")
	case *n.Newer > maxNewerNoncurrent:
		return s3err("InvalidArgument", "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be an "+
			"integer between 1 and "+itoa(maxNewerNoncurrent))
	}
	rule.NewerNoncurrent = int(*n.Newer)
	return nil
}

func (r *lifecycleRule) abort(rule *lifecycle.Rule) error {
	a := r.Abort
	if a == nil {
		return nil
	}
	switch {
	case a.Days == nil || len(a.Unknown) > 0:
		return s3err("MalformedXML")
	case *a.Days < 1:
		return s3err("InvalidArgument",
			"'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
	case len(rule.Filter.Tags) > 0:
		return s3err("InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags.")
	case hasSizes(&rule.Filter):
		return s3err("InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Object Size.")
	}
	rule.AbortDays = int(*a.Days)
	return nil
}

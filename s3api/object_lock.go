package s3api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// configObjectLock is a bucket's default retention, as JSON. That the bucket has object lock at all is in its row.
const configObjectLock meta.ConfigKind = "object-lock"

// defaultRetention is what versions get that are written without a retention of their own: one of Days and Years.
type defaultRetention struct {
	Mode  string `json:"mode"`
	Days  int    `json:"days,omitempty"`
	Years int    `json:"years,omitempty"`
}

// askedRetention is a default retention as it is put, where a count of 0 is not one that is missing.
type askedRetention struct {
	Mode  string `xml:"Mode"`
	Days  *int   `xml:"Days"`
	Years *int   `xml:"Years"`
}

// checked returns what was asked for, if that can be a default retention.
func (a *askedRetention) checked() (*defaultRetention, error) {
	if retentionModes[a.Mode] == meta.RetentionNone || (a.Days == nil) == (a.Years == nil) {
		return nil, s3err("MalformedXML")
	}
	d := &defaultRetention{Mode: a.Mode}
	name, count, most := "Days", &d.Days, maxRetentionYears*365
	asked := a.Days
	if asked == nil {
		name, count, most, asked = "Years", &d.Years, maxRetentionYears, a.Years
	}
	*count = *asked
	switch {
	case *count <= 0:
		return nil, s3err("InvalidArgument", "Default retention period must be a positive integer value.").with("ArgumentName", name)
	case *count > most:
		return nil, s3err("InvalidArgument", "Default retention period too large.").with("ArgumentName", name)
	}
	return d, nil
}

// maxRetentionYears bounds a default retention. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
const maxRetentionYears = 100

var retentionModes = map[string]meta.RetentionMode{
	"GOVERNANCE": meta.RetentionGovernance, "COMPLIANCE": meta.RetentionCompliance,
}

func retentionModeName(mode meta.RetentionMode) string {
	for name, known := range retentionModes {
		if known == mode {
			return name
		}
	}
	return ""
}

// until is when the retention of a version that is written now ends.
func (d *defaultRetention) until(now time.Time) time.Time { return now.AddDate(d.Years, 0, d.Days) }

// getObjectLockConfiguration answers GetObjectLockConfiguration.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html
func getObjectLockConfiguration(rq *request) error {
	if !rq.access.ObjectLock {
		return s3err("ObjectLockConfigurationNotFoundError").with("BucketName", string(rq.bucket))
	}
	x := newXML(512)
	x.root("ObjectLockConfiguration")
	x.text("ObjectLockEnabled", "Enabled")
	if d := rq.access.retention; d != nil {
		x.open("Rule")
		x.open("DefaultRetention")
		x.text("Mode", d.Mode)
		if d.Days > 0 {
			x.number("Days", int64(d.Days))
		} else {
			x.number("Years", int64(d.Years))
		}
		x.close("DefaultRetention")
		x.close("Rule")
	}
	x.close("ObjectLockConfiguration")
	return rq.writeXML(x)
}

// putObjectLockConfiguration answers PutObjectLockConfiguration. It enables object lock where versioning is enabled.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html
func putObjectLockConfiguration(rq *request) error {
	var in struct {
		Enabled string `xml:"ObjectLockEnabled"`
		Rule    *struct {
			Default *askedRetention `xml:"DefaultRetention"`
		} `xml:"Rule"`
	}
	if err := rq.readXML("ObjectLockConfiguration", maxConfigBytes, &in); err != nil {
		return err
	}
	if in.Enabled != "Enabled" {
		return s3err("MalformedXML")
	}
	var raw []byte
	if in.Rule != nil {
		if in.Rule.Default == nil {
			return s3err("MalformedXML")
		}
		d, err := in.Rule.Default.checked()
		if err != nil {
			return err
		}
		if raw, err = json.Marshal(d); err != nil {
			return err
		}
	}
	if !rq.access.ObjectLock {
		if rq.access.Versioning != meta.VersioningEnabled {
			return s3err("InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
		}
		if err := rq.store().SetObjectLock(rq.r.Context(), rq.bucket); err != nil {
			return err
		}
	}
	return rq.putConfig(configObjectLock, raw, http.StatusOK)
}

// locks refuses operations on locks in a bucket that has none.
func (rq *request) locks() error {
	if !rq.access.ObjectLock {
		return s3err("InvalidRequest", "Bucket is missing Object Lock Configuration")
	}
	return nil
}

// getObjectRetention answers GetObjectRetention.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html
func getObjectRetention(rq *request) error {
	object, err := rq.lockedObject()
	if err != nil {
		return err
	}
	if object.Retention.Mode == meta.RetentionNone {
		return s3err("NoSuchObjectLockConfiguration").with("Key", string(rq.key))
	}
	x := newXML(256)
	x.root("Retention")
	x.text("Mode", retentionModeName(object.Retention.Mode))
	x.timestamp("RetainUntilDate", object.Retention.Until)
	x.close("Retention")
	return rq.writeXML(x)
}

// lockedObject is the version that the request names, in a bucket that has object lock.
func (rq *request) lockedObject() (meta.Object, error) {
	version, err := rq.settingsVersion()
	if err != nil {
		return meta.Object{}, err
	}
	object, err := rq.stat(rq.bucket, rq.key, version)
	if err != nil {
		return meta.Object{}, err
	}
	return object, rq.locks()
}

// putObjectRetention answers PutObjectRetention. An empty document takes a retention away, as far as that is allowed.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html
func putObjectRetention(rq *request) error {
	var in struct {
		Mode  string `xml:"Mode"`
		Until string `xml:"RetainUntilDate"`
	}
	if err := rq.readXML("Retention", maxConfigBytes, &in); err != nil {
		return err
	}
	if err := rq.locks(); err != nil {
		return err
	}
	var retention meta.Retention
	if in.Mode != "" || in.Until != "" {
		var err error
		if retention, err = rq.retention(in.Mode, in.Until); err != nil {
			return err
		}
	}
	if err := rq.authorizeSettings(meta.Settings{Retention: retention}); err != nil {
		return err
	}
	return rq.updateObject(meta.UpdateObject{Retention: &retention, Bypass: rq.bypassesGovernance(rq.key)}, http.StatusOK)
}

// retention reads a mode and a date, which must lie ahead.
func (rq *request) retention(mode, until string) (meta.Retention, error) {
	known, ok := retentionModes[mode]
	if !ok {
		return meta.Retention{}, s3err("MalformedXML")
	}
	date, err := time.Parse(time.RFC3339, until)
	if err != nil {
		return meta.Retention{}, s3err("MalformedXML")
	}
	if !date.After(rq.handler.config.Now()) {
		return meta.Retention{}, s3err("InvalidArgument", "The retain until date must be in the future!")
	}
	return meta.Retention{Mode: known, Until: date.UTC().Truncate(time.Millisecond)}, nil
}

// getObjectLegalHold answers GetObjectLegalHold.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLegalHold.html
func getObjectLegalHold(rq *request) error {
	object, err := rq.lockedObject()
	if err != nil {
		return err
	}
	if object.LegalHold == meta.LegalHoldNone {
		return s3err("NoSuchObjectLockConfiguration").with("Key", string(rq.key))
	}
	x := newXML(256)
	x.root("LegalHold")
	x.text("Status", legalHoldName(object.LegalHold))
	x.close("LegalHold")
	return rq.writeXML(x)
}

func legalHoldName(hold meta.LegalHold) string {
	if hold == meta.LegalHoldOn {
		return "ON"
	}
	return "OFF"
}

func parseLegalHold(status string) (meta.LegalHold, bool) {
	switch status {
	case "ON":
		return meta.LegalHoldOn, true
	case "OFF":
		return meta.LegalHoldOff, true
	}
	return meta.LegalHoldNone, false
}

// putObjectLegalHold answers PutObjectLegalHold.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html
func putObjectLegalHold(rq *request) error {
	var in struct {
		Status string `xml:"Status"`
	}
	raw, err := rq.readDocument(maxConfigBytes)
	if err != nil {
		return err
	}
	// No document at all is a wrong one here, where other operations miss it.
	if err := parseXML(raw, "LegalHold", &in); err != nil {
		return err
	}
	hold, ok := parseLegalHold(in.Status)
	if !ok {
		return s3err("MalformedXML")
	}
	if err := rq.authorizeSettings(meta.Settings{LegalHold: hold}); err != nil {
		return err
	}
	if err := rq.locks(); err != nil {
		return err
	}
	return rq.updateObject(meta.UpdateObject{LegalHold: &hold}, http.StatusOK)
}

// newLocks are the locks of a version that the request writes: those that its headers ask for, or the bucket's default.
func (rq *request) newLocks(s *meta.Settings) error {
	header := rq.r.Header
	mode, until := headerOf(header, "X-Amz-Object-Lock-Mode"), headerOf(header, "X-Amz-Object-Lock-Retain-Until-Date")
	hold := headerOf(header, "X-Amz-Object-Lock-Legal-Hold")
	if mode == "" && until == "" && hold == "" {
		s.Retention = rq.defaultRetention()
		return nil
	}
	if mode != "" || until != "" {
		if err := rq.newRetention(s, mode, until); err != nil {
			return err
		}
	} else {
		s.Retention = rq.defaultRetention()
	}
	if hold != "" {
		known, ok := parseLegalHold(hold)
		if !ok {
			return invalidArgument("x-amz-object-lock-legal-hold", hold, "Legal Hold must be either of 'ON' or 'OFF'")
		}
		if err := rq.allow(permission{action: "s3:PutObjectLegalHold"}, rq.access, rq.key); err != nil {
			return err
		}
		s.LegalHold = known
	}
	if !rq.access.ObjectLock {
		return s3err("InvalidRequest", "Bucket is missing ObjectLockConfiguration")
	}
	return nil
}

// defaultRetention is what a version gets that is written without locks of its own.
func (rq *request) defaultRetention() meta.Retention {
	d := rq.access.retention
	if d == nil {
		return meta.Retention{}
	}
	now := rq.handler.config.Now().UTC().Truncate(time.Millisecond)
	return meta.Retention{Mode: retentionModes[d.Mode], Until: d.until(now)}
}

// newRetention reads the retention that headers ask for.
func (rq *request) newRetention(s *meta.Settings, mode, until string) error {
	const both = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied."
	switch {
	case mode == "":
		return invalidArgument("x-amz-object-lock-mode", "", both)
	case until == "":
		return invalidArgument("x-amz-object-lock-retain-until-date", "", both)
	}
	if _, known := retentionModes[mode]; !known {
		return invalidArgument("x-amz-object-lock-mode", mode, "Unknown wormMode directive.")
	}
	if _, err := time.Parse(time.RFC3339, until); err != nil {
		return invalidArgument("x-amz-object-lock-retain-until-date", until,
			"The retain until date must be provided in ISO 8601 format")
	}
	if err := rq.allow(permission{action: "s3:PutObjectRetention"}, rq.access, rq.key); err != nil {
		return err
	}
	var err error
	s.Retention, err = rq.retention(mode, until)
	return err
}

// setLocks tells of an object's locks, to those who may know.
func (rq *request) setLocks(s *meta.Settings) {
	if s.Retention.Mode != meta.RetentionNone && rq.may("s3:GetObjectRetention", rq.access, rq.key) {
		rq.w.set("X-Amz-Object-Lock-Mode", retentionModeName(s.Retention.Mode))
		rq.w.set("X-Amz-Object-Lock-Retain-Until-Date", s.Retention.Until.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if s.LegalHold != meta.LegalHoldNone && rq.may("s3:GetObjectLegalHold", rq.access, rq.key) {
		rq.w.set("X-Amz-Object-Lock-Legal-Hold", legalHoldName(s.LegalHold))
	}
}

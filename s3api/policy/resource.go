package policy

import "strings"

// resource is one entry of a Resource or a NotResource. Nearly all are of a form that is matched against the bucket and
// the key as they are; for the others the two are joined first.
type resource struct {
	form   resourceForm
	bucket string   // oneBucket, inBucket: its name; startOfBucket: how it begins
	rest   template // inBucket: the key; joined: bucket, slash and key
}

type resourceForm uint8

const (
	everything    resourceForm = iota // *, arn:aws:s3:::*
	oneBucket                         // arn:aws:s3:::photos
	inBucket                          // arn:aws:s3:::photos/2026/*
	startOfBucket                     // arn:aws:s3:::photos*, with all that is in such buckets
	joined                            // any other
	foreign                           // a resource of another service
)

// resource reads an entry.
func (c *compiler) resource(text string) (resource, error) {
	if c.identity {
		return c.identityResource(text)
	}
	rest, ok := strings.CutPrefix(text, "arn:aws:s3:::")
	bucket, _, _ := strings.Cut(rest, "/")
	if !ok || bucket != c.bucket {
		return resource{}, malformed(msgResource)
	}
	r, err := c.bucketResource(rest)
	if err != nil {
		return r, malformed(msgResource)
	}
	return r, nil
}

// identityResource reads an ARN of any service.
func (c *compiler) identityResource(text string) (resource, error) {
	if text == "*" {
		return resource{form: everything}, nil
	}
	parts := strings.SplitN(text, ":", arnParts)
	if len(parts) < arnParts || parts[arnParts-1] == "" || !match(patternOf(parts[0]), "arn") {
		return resource{}, malformed("Resource %s must be in ARN format or \"*\".", text)
	}
	for i, want := range [...]string{"arn", "aws", "s3", "", ""} {
		if !match(patternOf(parts[i]), want) {
			return resource{form: foreign}, nil
		}
	}
	return c.bucketResource(parts[arnParts-1])
}

// bucketResource reads what follows "arn:aws:s3:::".
func (c *compiler) bucketResource(text string) (resource, error) {
	t, err := newTemplate(text, true, c.variables, c.mention)
	if err != nil {
		return resource{}, err
	}
	start := t.text // up to the first variable
	if t.parts != nil {
		start = t.parts[0].text
	}
	bucket, key, slash := strings.Cut(start, "/")
	switch begins, starred := strings.CutSuffix(start, star); {
	case slash && !hasWildcard(bucket):
		if t.parts != nil {
			t.parts[0].text = key
		} else {
			t.text = key
		}
		return resource{form: inBucket, bucket: bucket, rest: t}, nil
	case t.parts != nil, slash:
		return resource{form: joined, rest: t}, nil
	case start == star:
		return resource{form: everything}, nil
	case starred && !hasWildcard(begins):
		return resource{form: startOfBucket, bucket: begins}, nil
	case hasWildcard(start):
		return resource{form: joined, rest: t}, nil
	default:
		return resource{form: oneBucket, bucket: start}, nil
	}
}

// matches reports whether the request is for the resource. It reports false for known where a variable has no value.
func (r *resource) matches(e *evaluation) (matched, known bool) {
	q := e.request
	switch r.form {
	case everything:
		return true, true
	case oneBucket:
		return q.Key == "" && q.Bucket == r.bucket, true
	case startOfBucket:
		return strings.HasPrefix(q.Bucket, r.bucket), true
	case inBucket:
		if q.Key == "" || q.Bucket != r.bucket {
			return false, true
		}
		pattern, ok := r.rest.expand(e)
		return ok && match(pattern, q.Key), ok
	case joined:
		pattern, ok := r.rest.expand(e)
		return ok && match(pattern, joinResource(q.Bucket, q.Key)), ok
	default:
		return false, true
	}
}

// joinResource is the end of a resource's ARN.
func joinResource(bucket, key string) string {
	if key == "" {
		return bucket
	}
	return bucket + "/" + key
}

// resourceType is the type of a bucket policy's resource.
func (r *resource) resourceType() ResourceType {
	if r.form == oneBucket {
		return BucketResource
	}
	return ObjectResource
}

package backend

import (
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// CheckQuotaInput asks whether something would fit.
type CheckQuotaInput struct {
	Bucket meta.BucketName
	// Key is where it would be put: the limits of its prefixes hold too. It may be empty.
	Key meta.Key
	// Bytes is how much it would be, Objects how many new objects. Where Objects is 0 it is one object, in the place of
	// what is under Key, which is credited as by PutObject.
	Bytes, Objects int64
}

// Fit is what one scope says to a CheckQuotaInput.
type Fit struct {
	// Account is the scope as it is. Of the disk it has the scope only.
	Account quota.Account
	// AvailableBytes is what is left for objects, negative where there is no limit of bytes.
	AvailableBytes int64
	// AvailableObjects is how many objects are left, negative where there is no limit of objects.
	AvailableObjects int64
	// Err is why it does not fit: *quota.ExceededError or *InsufficientStorageError; nil where it fits.
	Err error
}

// CheckQuotaOutput is the answer at one moment. It holds no space: what fits now may not fit when it comes.
type CheckQuotaOutput struct {
	// Delta is what would change.
	Delta quota.Delta
	// Scopes are those that it has to fit in, the innermost first: prefixes, bucket, owner, server, disk.
	Scopes []Fit
}

// Err returns the refusal that a PutObject would get, nil where everything fits.
func (o *CheckQuotaOutput) Err() error {
	for _, f := range o.Scopes {
		if f.Err != nil {
			return f.Err
		}
	}
	return nil
}

// CheckQuota tells whether something would fit now, and what each scope has left. It decides as PutObject does, with
// what arrives at the moment counted, and counts as no refusal. It fails with meta.ErrNoSuchBucket.
func (s *Store) CheckQuota(ctx context.Context, in CheckQuotaInput) (CheckQuotaOutput, error) {
	// No commit is under way, so that rows and ledger agree.
	s.committer.settling.RLock()
	defer s.committer.settling.RUnlock()
	state, err := s.buckets.get(in.Bucket)
	if err != nil {
		return CheckQuotaOutput{}, err
	}
	out := CheckQuotaOutput{Delta: quota.Delta{Bytes: in.Bytes, Objects: max(in.Objects, 1)}}
	if in.Objects == 0 && in.Key != "" {
		if out.Delta, err = s.addition(ctx, in.Bucket, in.Key, in.Bytes, meta.Precondition{}); err != nil {
			return CheckQuotaOutput{}, err
		}
	}
	accounts := s.ledger.binding(state.Bucket, in.Key)
	if accounts == nil {
		return CheckQuotaOutput{}, meta.ErrNoSuchBucket
	}
	for _, a := range accounts {
		fit := Fit{Account: a, Err: quota.Admit(a, quota.Operation{Kind: quota.Put, Delta: out.Delta})}
		fit.AvailableBytes, fit.AvailableObjects = a.Available()
		out.Scopes = append(out.Scopes, fit)
	}
	disk, err := s.checkDisk(in.Bytes, out.Delta.Bytes)
	out.Scopes = append(out.Scopes, disk)
	return out, err
}

// checkDisk tells whether the disk has room for a body of size bytes, which grows usage by grows.
func (s *Store) checkDisk(size, grows int64) (Fit, error) {
	available, total, err := s.Free()
	if err != nil {
		return Fit{}, err
	}
	fit := Fit{
		Account: quota.Account{Scope: diskScope}, AvailableObjects: -1,
		AvailableBytes: max(0, available-s.ledger.unwritten.Load()),
	}
	if grows > 0 && size > fit.AvailableBytes {
		fit.Err = &InsufficientStorageError{
			Total: total, Available: fit.AvailableBytes, Requested: size, Transient: size <= available,
		}
	}
	return fit, nil
}

package admin

import (
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func getPrefixes(rq *request) error {
	store := rq.handler.config.Store
	if err := store.HeadBucket(rq.r.Context(), meta.BucketName(rq.name)); err != nil {
		return err
	}
	answer := adminapi.Prefixes{Prefixes: []adminapi.Account{}}
	for _, a := range store.Accounts() {
		if a.Scope.Kind == quota.Prefix && a.Scope.Name == rq.name {
			answer.Prefixes = append(answer.Prefixes, document(a))
		}
	}
	return rq.answer(http.StatusOK, answer)
}

// checkPrefix refuses a prefix that no key of S3 can begin with.
func checkPrefix(scope quota.Scope) error {
	if scope.Kind == quota.Prefix && (len(scope.Prefix) > backend.MaxKeyBytes || !utf8.ValidString(scope.Prefix)) {
		return problem("InvalidArgument", http.StatusBadRequest,
			fmt.Sprintf("A prefix is 1 to %d bytes of UTF-8.", backend.MaxKeyBytes))
	}
	return nil
}

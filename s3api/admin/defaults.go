package admin

import (
	"net/http"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func getDefaults(rq *request) error {
	d := rq.handler.config.Store.Defaults()
	return rq.answer(http.StatusOK, adminapi.Defaults{
		Bucket: adminapi.DefaultLimit(d.Bucket), Owner: adminapi.DefaultLimit(d.Owner),
	})
}

// defaults are the methods of one of the default limits.
func defaults(of func(*backend.Defaults) *quota.Limit) methods {
	answer := func(rq *request, d backend.Defaults) error {
		return rq.answer(http.StatusOK, adminapi.DefaultLimit(*of(&d)))
	}
	change := func(rq *request, edit func(*quota.Limit)) (backend.Defaults, error) {
		return rq.handler.config.Store.ChangeDefaults(rq.r.Context(), func(d *backend.Defaults) error {
			before := *of(d)
			edit(of(d))
			rq.note(adminapi.DefaultLimit(before), adminapi.DefaultLimit(*of(d)))
			return nil
		})
	}
	// set replaces the limit, or changes the figures that the body has.
	set := func(replace bool) func(*request) error {
		return func(rq *request) error {
			body, err := rq.limit()
			if err != nil {
				return err
			}
			d, err := change(rq, func(l *quota.Limit) {
				if replace {
					*l = quota.Limit{}
				}
				*l = body.over(*l)
			})
			if err != nil {
				return err
			}
			return answer(rq, d)
		}
	}
	return methods{
		http.MethodGet:   func(rq *request) error { return answer(rq, rq.handler.config.Store.Defaults()) },
		http.MethodPut:   set(true),
		http.MethodPatch: set(false),
		http.MethodDelete: func(rq *request) error {
			if _, err := change(rq, func(l *quota.Limit) { *l = quota.Limit{} }); err != nil {
				return err
			}
			rq.w.WriteHeader(http.StatusNoContent)
			return nil
		},
	}
}

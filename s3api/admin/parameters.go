package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parameters returns the query's, each of which is one of names and given once: one that is misspelt would otherwise be
// one that is left out.
func (rq *request) parameters(names ...string) (url.Values, error) {
	values, err := url.ParseQuery(rq.r.URL.RawQuery)
	if err != nil {
		return nil, invalidArgument("The query is not validly encoded.")
	}
	for name, given := range values {
		if !slices.Contains(names, name) {
			return nil, invalidArgument(fmt.Sprintf("%q is not among the parameters of this resource: %s.", name,
				strings.Join(names, ", ")))
		}
		if len(given) > 1 {
			return nil, invalidArgument(fmt.Sprintf("The parameter %s is given more than once.", name))
		}
	}
	return values, nil
}

func invalidArgument(detail string) error {
	return problem("InvalidArgument", http.StatusBadRequest, detail)
}

// integer returns a parameter that is a whole number from low to high, or missing where it is left out.
func integer(values url.Values, name string, missing, low, high int64) (int64, error) {
	if !values.Has(name) {
		return missing, nil
	}
	n, err := strconv.ParseInt(values.Get(name), 10, 64)
	if err != nil || n < low || n > high {
		return 0, invalidArgument(fmt.Sprintf("%s is not a whole number from %d to %d.", name, low, high))
	}
	return n, nil
}

// maxAgeSeconds is the largest age that can be asked for: a century.
const maxAgeSeconds = 100 * 365 * 24 * 60 * 60

// age turns a number of seconds of a body into a time.
func age(seconds int64) (time.Duration, error) {
	if seconds < 0 || seconds > maxAgeSeconds {
		return 0, invalidArgument(fmt.Sprintf("older_than_seconds is not a whole number from 0 to %d.", int64(maxAgeSeconds)))
	}
	return time.Duration(seconds) * time.Second, nil
}

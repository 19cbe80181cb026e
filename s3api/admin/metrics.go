package admin

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// maxScrapes bounds how many scrapes are answered at a time; more get a 503. Everyone may scrape, and it is work.
const maxScrapes = 4

// scrape answers with the metrics. They are compressed at the fastest level: with 10,000 buckets they are nearly two
// megabytes, and promhttp's own level takes longer than all the rest.
func (rq *request) scrape(metrics http.Handler) error {
	rq.w.Header().Set("Vary", "Accept-Encoding")
	if !acceptsGzip(rq.r) {
		metrics.ServeHTTP(rq.w, rq.r)
		return nil
	}
	compressed, err := gzip.NewWriterLevel(rq.w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := &gzipAnswer{ResponseWriter: rq.w, to: compressed}
	metrics.ServeHTTP(w, rq.r)
	if w.compresses {
		_ = compressed.Close() // the client may be gone
	}
	return nil
}

// acceptsGzip reports whether the client takes gzip. One that would rather have something else, or names it with q=0, as
// no scraper does, gets the metrics as they are.
func acceptsGzip(r *http.Request) bool {
	for _, value := range r.Header.Values("Accept-Encoding") {
		for listed := range strings.SplitSeq(value, ",") {
			coding, quality, _ := strings.Cut(listed, ";")
			if strings.TrimSpace(coding) == "gzip" && strings.Trim(quality, " q=0.") != "" || strings.TrimSpace(listed) == "gzip" {
				return true
			}
		}
	}
	return false
}

// gzipAnswer compresses an answer of status 200.
type gzipAnswer struct {
	http.ResponseWriter
	to         io.Writer
	began      bool
	compresses bool
}

// WriteHeader implements http.ResponseWriter.
func (a *gzipAnswer) WriteHeader(status int) {
	if !a.began {
		a.began = true
		if a.compresses = status == http.StatusOK; a.compresses {
			a.Header().Set("Content-Encoding", "gzip")
			a.Header().Del("Content-Length")
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *gzipAnswer) Write(p []byte) (int, error) {
	if !a.began {
		a.WriteHeader(http.StatusOK)
	}
	if a.compresses {
		return a.to.Write(p)
	}
	return a.ResponseWriter.Write(p)
}

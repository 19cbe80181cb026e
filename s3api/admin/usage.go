package admin

import (
	"math"
	"net/http"
	"time"

	"github.com/plimsoll/plimsoll/backend/history"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func getOverview(rq *request) error {
	store := rq.handler.config.Store
	oldest, err := store.OldestUploads(rq.r.Context(), quota.ServerScope)
	if err != nil {
		return err
	}
	answer := adminapi.Overview{Owners: []adminapi.Account{}, Buckets: []adminapi.Account{}}
	for _, a := range store.Accounts() {
		d := rq.usage(a, oldest)
		switch a.Scope.Kind {
		case quota.Server:
			answer.Server = d
		case quota.Owner:
			answer.Owners = append(answer.Owners, d)
		case quota.Bucket:
			answer.Buckets = append(answer.Buckets, d)
		}
	}
	if answer.DiskFreeBytes, answer.DiskSizeBytes, err = store.Free(); err != nil {
		return err
	}
	return rq.answer(http.StatusOK, answer)
}

func getUsage(rq *request) error {
	account, err := rq.account()
	if err != nil {
		return err
	}
	oldest, err := rq.handler.config.Store.OldestUploads(rq.r.Context(), account.Scope)
	if err != nil {
		return err
	}
	return rq.answer(http.StatusOK, rq.usage(account, oldest))
}

// usage is an account with what else there is to know of it.
func (rq *request) usage(a quota.Account, oldest map[quota.Scope]time.Time) adminapi.Account {
	d := document(a)
	d.OldestUpload = optionalTime(oldest[a.Scope])
	d.Growth = new(rq.growth(a, rq.handler.config.Store.Trend(a.Scope)))
	return d
}

// getHistory answers with what a scope held over time.
func getHistory(rq *request) error {
	account, err := rq.account()
	if err != nil {
		return err
	}
	series, trend, err := rq.handler.config.Store.History(rq.r.Context(), account.Scope)
	if err != nil {
		return err
	}
	return rq.answer(http.StatusOK, adminapi.History{
		Scope: string(account.Scope.Kind), Name: account.Scope.Name,
		Hours: historyPoints(series.Hours), Days: historyPoints(series.Days), Growth: rq.growth(account, trend),
	})
}

func historyPoints(points []history.Point) []adminapi.HistoryPoint {
	all := make([]adminapi.HistoryPoint, 0, len(points))
	for _, p := range points {
		all = append(all, adminapi.HistoryPoint(p))
	}
	return all
}

func (rq *request) growth(a quota.Account, t history.Trend) adminapi.Growth {
	g := adminapi.Growth{EnoughHistory: t.Known, Points: t.Points, SpanSeconds: int64(t.Span / time.Second)}
	if t.Known {
		g.Bytes, g.Objects = rate(t.Bytes), rate(t.Objects)
	}
	f := rq.handler.config.Store.Forecast(a, t)
	g.BytesFull, g.ObjectsFull = forecast(f.Bytes), forecast(f.Objects)
	return g
}

// rate rounds what is not known as exactly.
func rate(r history.Rate) *adminapi.Rate {
	round := func(v float64) float64 { return math.Round(v*100) / 100 }
	return &adminapi.Rate{PerDay: round(r.PerDay), Low: round(r.Low), High: round(r.High)}
}

func forecast(f *history.Forecast) *adminapi.Forecast {
	if f == nil {
		return nil
	}
	return &adminapi.Forecast{
		At: f.At, Earliest: f.Earliest, Latest: optionalTime(f.Latest), Confidence: string(f.Confidence),
	}
}

// optionalTime is nil for the zero time.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

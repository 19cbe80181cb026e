package backend

import (
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll/plimsoll/quota"
)

// metrics are what the store measures while it works.
type metrics struct {
	batchSize prometheus.Histogram
	blobSync  prometheus.Histogram
	commit    prometheus.Histogram
	expired   *prometheus.CounterVec
	crossed   *prometheus.CounterVec
	dropped   prometheus.Counter
}

func newMetrics() *metrics {
	durations := prometheus.ExponentialBuckets(0.0001, 2, 16)
	return &metrics{
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "plimsoll_commit_batch_mutations", Help: "Mutations committed in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		blobSync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "plimsoll_blob_sync_seconds", Help: "Time to make the blobs of one batch durable together.",
			Buckets: durations,
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "plimsoll_commit_seconds", Help: "Time of one metadata commit with its fsync.",
			Buckets: durations,
		}),
		expired: newExpiredCounter(),
		crossed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_quota_threshold_crossings_total",
			Help: "Thresholds of limits that were crossed, by kind of scope, resource, percentage and direction.",
		}, []string{"scope", "resource", "percent", "direction"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "plimsoll_events_dropped_total", Help: "Events that were dropped, since the outbox was full.",
		}),
	}
}

var (
	usageBytes = prometheus.NewDesc("plimsoll_usage_bytes",
		"Bytes of stored objects.", scopeLabels, nil)
	usageObjects = prometheus.NewDesc("plimsoll_usage_objects",
		"Stored objects.", scopeLabels, nil)
	usagePartBytes = prometheus.NewDesc("plimsoll_usage_part_bytes",
		"Bytes of the parts of unfinished multipart uploads.", scopeLabels, nil)
	usageUploads = prometheus.NewDesc("plimsoll_usage_uploads",
		"Unfinished multipart uploads.", scopeLabels, nil)
	limitBytes = prometheus.NewDesc("plimsoll_limit_bytes",
		"Limit of stored bytes; absent where there is none.", scopeLabels, nil)
	limitObjects = prometheus.NewDesc("plimsoll_limit_objects",
		"Limit of stored objects; absent where there is none.", scopeLabels, nil)
	growthBytes = prometheus.NewDesc("plimsoll_usage_growth_bytes_per_day",
		"How fast stored bytes grow, by the history of the last 28 days; absent where too little is known.", scopeLabels, nil)
	fullBytes = prometheus.NewDesc("plimsoll_limit_bytes_reached_timestamp_seconds",
		"When the limit of stored bytes is reached if they go on to grow so; absent where it is not within ten years.",
		scopeLabels, nil)
	reservedBytes = prometheus.NewDesc("plimsoll_reserved_bytes",
		"Bytes held for bodies that are arriving.", scopeLabels, nil)
	usedRatio = prometheus.NewDesc("plimsoll_limit_used_ratio",
		"How much of a limit is used, 1 for all of it; more where it was lowered. Absent where there is none.",
		append(slices.Clone(scopeLabels), "resource"), nil)
	reservations = prometheus.NewDesc("plimsoll_reservations",
		"Bodies that are arriving and hold space.", nil, nil)
	refusals = prometheus.NewDesc("plimsoll_quota_refusals_total",
		"Operations refused for want of space, by what refused them and why: bytes, objects, reserved (only bodies that "+
			"were arriving stood in the way) or disk.", append(slices.Clone(scopeLabels), "reason"), nil)
	packFiles = prometheus.NewDesc("plimsoll_packs",
		"Pack files.", nil, nil)
	packBytes = prometheus.NewDesc("plimsoll_pack_blob_bytes",
		"Bytes of blobs in packs, dead ones included.", nil, nil)
	packDead = prometheus.NewDesc("plimsoll_pack_dead_bytes",
		"Bytes of dead blobs in packs, which compaction takes away.", nil, nil)
	outboxEvents = prometheus.NewDesc("plimsoll_outbox_events",
		"Events in the outbox, delivered ones among them.", nil, nil)
	outboxBytes = prometheus.NewDesc("plimsoll_outbox_bytes",
		"Bytes of the events in the outbox.", nil, nil)
	diskFree = prometheus.NewDesc("plimsoll_disk_free_bytes",
		"Free space of the disk under the store.", nil, nil)
	diskTotal = prometheus.NewDesc("plimsoll_disk_size_bytes",
		"Size of the disk under the store.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Store) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, ch) }

// Collect implements prometheus.Collector.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	shown := s.series.choose(slices.DeleteFunc(s.ledger.snapshot(), func(a quota.Account) bool {
		return a.Scope.Kind == quota.Prefix // there may be a hundred in each bucket; their refusals are the bucket's series
	}))
	for _, a := range shown {
		collectAccount(ch, a)
		s.collectGrowth(ch, a)
	}
	for r, n := range s.ledger.refusalCounts(shown) {
		labels := seriesOf(r.scope).with(reasonPairs[r.reason])
		ch <- &sample{refusals, prometheus.CounterValue, float64(n), labels}
	}
	gauge(reservations, s.ledger.holds.Load())
	packed := s.packs.Stats()
	gauge(packFiles, int64(packed.Packs))
	gauge(packBytes, packed.Bytes)
	gauge(packDead, packed.Dead)
	if free, total, err := s.blobs.Free(); err == nil {
		gauge(diskFree, free)
		gauge(diskTotal, total)
	}
	if outbox, err := s.meta.Outbox(context.Background()); err == nil {
		gauge(outboxEvents, outbox.Events)
		gauge(outboxBytes, outbox.Bytes)
	}
	for _, c := range []prometheus.Collector{
		s.metrics.batchSize, s.metrics.blobSync, s.metrics.commit, s.metrics.expired, s.metrics.crossed, s.metrics.dropped,
	} {
		c.Collect(ch)
	}
}

// collectGrowth tells how a scope grows, where that is known.
func (s *Store) collectGrowth(ch chan<- prometheus.Metric, a *quota.Account) {
	t := s.Trend(a.Scope)
	if t.Known {
		ch <- &sample{growthBytes, prometheus.GaugeValue, t.Bytes.PerDay, seriesOf(a.Scope).labels()}
	}
	if f := s.Forecast(*a, t).Bytes; f != nil {
		ch <- &sample{fullBytes, prometheus.GaugeValue, float64(f.At.Unix()), seriesOf(a.Scope).labels()}
	}
}

// collectAccount sends the metrics of a scope. That of the server counts unfinished parts in full, as its limit does.
func collectAccount(ch chan<- prometheus.Metric, a *quota.Account) {
	series := seriesOf(a.Scope)
	labels := series.labels()
	gauge := func(d *prometheus.Desc, v int64) {
		ch <- &sample{d, prometheus.GaugeValue, float64(v), labels}
	}
	ratio := func(resource quota.Resource, used, limit int64) {
		of := series.with(resourcePairs[string(resource)])
		ch <- &sample{usedRatio, prometheus.GaugeValue, float64(used) / float64(limit), of}
	}
	gauge(usageBytes, a.Usage.Bytes)
	gauge(usageObjects, a.Usage.Objects)
	gauge(usagePartBytes, a.Usage.PartBytes)
	gauge(usageUploads, a.Usage.Uploads)
	gauge(reservedBytes, a.Reserved.Bytes+a.Reserved.PartBytes)
	if a.Limit.MaxBytes > 0 {
		gauge(limitBytes, a.Limit.MaxBytes)
		ratio(quota.Bytes, limitedBytes(*a), a.Limit.MaxBytes)
	}
	if a.Limit.MaxObjects > 0 {
		gauge(limitObjects, a.Limit.MaxObjects)
		ratio(quota.Objects, a.Usage.Objects, a.Limit.MaxObjects)
	}
}

package s3api

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what the front end counts. It is a prometheus.Collector.
type Metrics struct {
	requests *prometheus.CounterVec
	errors   *prometheus.CounterVec
	duration *prometheus.HistogramVec
	received prometheus.Counter
	sent     prometheus.Counter
	inFlight prometheus.Gauge

	operations sync.Map // *operationMetrics by *operation
}

// operationMetrics are those of one operation: to find them by their labels costs more than to count.
type operationMetrics struct {
	duration prometheus.Observer
	requests sync.Map // prometheus.Counter by status
}

// NewMetrics returns the metrics of a front end.
func NewMetrics() *Metrics {
	return &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_http_requests_total", Help: "S3 requests answered, by operation and status.",
		}, []string{"operation", "status"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_http_errors_total", Help: "S3 requests answered with an error, by its code.",
		}, []string{"code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plimsoll_http_request_seconds", Help: "Time from a request's head to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}, []string{"operation"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "plimsoll_http_received_bytes_total", Help: "Bytes of request bodies read.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "plimsoll_http_sent_bytes_total", Help: "Bytes of response bodies written.",
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "plimsoll_http_requests_in_flight", Help: "S3 requests being served.",
		}),
	}
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.errors, m.duration, m.received, m.sent, m.inFlight}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
}

// observe counts an answered request. Operations and codes come from tables, so the label sets are bounded.
func (m *Metrics) observe(rq *request, took time.Duration) {
	o := m.of(rq.op)
	o.duration.Observe(took.Seconds())
	requests, ok := o.requests.Load(rq.w.status)
	if !ok {
		requests, _ = o.requests.LoadOrStore(rq.w.status, m.requests.WithLabelValues(rq.op.name, strconv.Itoa(rq.w.status)))
	}
	requests.(prometheus.Counter).Inc()
	if rq.errorCode != "" {
		m.errors.WithLabelValues(rq.errorCode).Inc()
	}
	m.received.Add(float64(rq.rawBody.bytes))
	m.sent.Add(float64(rq.w.bytes))
}

// of returns the metrics of an operation.
func (m *Metrics) of(op *operation) *operationMetrics {
	known, ok := m.operations.Load(op)
	if !ok {
		known, _ = m.operations.LoadOrStore(op, &operationMetrics{duration: m.duration.WithLabelValues(op.name)})
	}
	return known.(*operationMetrics)
}

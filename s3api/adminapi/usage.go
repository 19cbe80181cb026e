package adminapi

import "time"

// Rate is how fast a figure grows, per day, and the interval that it is in with a probability of 90 percent.
type Rate struct {
	PerDay float64 `json:"per_day"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// Growth is how a scope grows, by what it held within the last 28 days, and when it will reach its limit if it goes on
// so. The server writes down once in an hour what there is.
type Growth struct {
	// EnoughHistory says that the growth is known: it takes 6 points over a day.
	EnoughHistory bool `json:"enough_history"`
	// Points is what it is made of, SpanSeconds the time between the first and the last of them.
	Points      int   `json:"points"`
	SpanSeconds int64 `json:"span_seconds"`
	// Bytes and Objects are nil where too little is known. The server's bytes have those of unfinished uploads in them.
	Bytes   *Rate `json:"bytes,omitempty"`
	Objects *Rate `json:"objects,omitempty"`
	// BytesFull and ObjectsFull are when the limit will be reached; nil where there is no limit, where it will not be
	// within ten years, and where too little is known.
	BytesFull   *Forecast `json:"bytes_full,omitempty"`
	ObjectsFull *Forecast `json:"objects_full,omitempty"`
}

// The grades of confidence in a Forecast.
const (
	// ConfidenceLow is that of one from less than three days of history, or from growth that may as well be none.
	ConfidenceLow = "low"
	// ConfidenceMedium is that of one from three days or more of growth that is known to within its own size.
	ConfidenceMedium = "medium"
	// ConfidenceHigh is that of one from two weeks or more of growth that is known to within half its size, and of a limit
	// that is reached already.
	ConfidenceHigh = "high"
)

// Forecast is when a limit will be reached.
type Forecast struct {
	At time.Time `json:"at"`
	// Earliest and Latest are the same by the ends of the interval of the growth. Latest is left out where it may as well
	// never come.
	Earliest   time.Time  `json:"earliest"`
	Latest     *time.Time `json:"latest,omitempty"`
	Confidence string     `json:"confidence"`
}

// History is what a scope held over time.
type History struct {
	Scope string `json:"scope"`
	Name  string `json:"name,omitempty"`
	// Hours are a week's, Days a year's: the last figures of each day (UTC) that is over. Both are in the order of time;
	// times at which the server did not run are left out.
	Hours  []HistoryPoint `json:"hours"`
	Days   []HistoryPoint `json:"days"`
	Growth Growth         `json:"growth"`
}

// HistoryPoint is what a scope held at a time. The server's bytes have those of unfinished uploads in them, as its limit
// counts.
type HistoryPoint struct {
	Time    time.Time `json:"time"`
	Bytes   int64     `json:"bytes"`
	Objects int64     `json:"objects"`
}

package lifecycle

import "time"

// Pruning says which noncurrent versions are removed at somebody's word, once, and not by a rule.
type Pruning struct {
	// OlderThan is for how long a version must have been noncurrent. It became so when the one before it was made, as for
	// a rule; it is exact, where a rule waits for midnight.
	OlderThan time.Duration
	// Keep is how many of a key's newest noncurrent objects stay, however old they are.
	Keep int
}

// Position is where a Judge is among the versions of a key: what it has to know of those before.
type Position struct {
	Since time.Time // when the last of them was made
	Newer int       // how many noncurrent objects there are among them
}

// Judge returns a judge of one key at a time of day. It never removes the first version, which is the latest.
func (p Pruning) Judge(now time.Time) Judge { return Judge{prune: p, now: now} }

// Resume returns a judge that goes on behind a version of a key.
func (p Pruning) Resume(now time.Time, at Position) Judge {
	return Judge{prune: p, now: now, begun: true, since: at.Since, newer: at.Newer}
}

// Position returns where the judge is.
func (j *Judge) Position() Position { return Position{Since: j.since, Newer: j.newer} }

func (j *Judge) prunes(v *Version, since time.Time, first bool) bool {
	if first {
		return false
	}
	newer := j.newer
	if !v.Marker {
		j.newer++
	}
	return newer >= j.prune.Keep && !j.now.Before(since.Add(j.prune.OlderThan))
}

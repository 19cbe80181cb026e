// Package multimd5 computes the MD5 of several streams at once, which takes hardly longer than that of one.
//
// MD5 is a chain of steps, each of which needs the one before: a processor does one byte in four cycles and has most of its
// units idle. But S3 wants it of every upload, as its ETag, and it was 46 % of the server's processor time for objects of
// 128 KiB. With vectors of 16 lanes a chain goes on in each lane. The speed of a core, in times of crypto/md5's: two streams
// 1.4, four 3.0, eight 5.2, sixteen 9.2 in all.
//
// github.com/minio/md5-simd has the same idea, with a goroutine that collects blocks from channels. In the server it gained
// nothing: that goroutine takes what is there, which is mostly one block, and does it alone.
//
// # Who computes
//
// No goroutine is started. Who writes to a Hash, and finds that half of the processors compute already, leaves its bytes in
// the group's queue and waits. Those who compute take in, after each pass, what has come to the queue; when their own bytes
// are done, they hand over to one of those who wait. So there are more streams in a pass the busier the server is, and a
// stream that is alone is hashed by crypto/md5, as are short writes.
//
// Where the processor has no AVX-512, every Hash is crypto/md5's.
//
// A Group is safe for concurrent use. A Hash is used by one goroutine.
package multimd5

import (
	"crypto/md5"
	"encoding"
	"encoding/binary"
	"hash"
	"runtime"
	"slices"
	"sync"
)

const (
	// lanes is how many streams fit into a pass.
	lanes = 16
	// passBlocks bounds a pass, so that who comes meanwhile waits for 50 microseconds or so.
	passBlocks = 512
	// minShared is the shortest write that is worth to be left to another goroutine.
	minShared = 8 << 10
)

// Group is what hashes are computed together in. The zero Group is ready for use.
type Group struct {
	mu      sync.Mutex
	queue   []*job // those who wait; guarded by mu
	leaders int    // how many compute; guarded by mu
}

// job is a write: the whole blocks of it that are not hashed yet.
type job struct {
	state [4]uint32
	left  []byte
	// wake tells who waits that the job is done, or, with lead, that it is for them to compute.
	wake chan signal
}

type signal bool

const (
	done signal = false
	lead signal = true
)

// New returns a hash whose sums are those of crypto/md5.
func (g *Group) New() hash.Hash {
	if !haveVectors {
		return md5.New()
	}
	return &sum{group: g, alone: md5.New()}
}

// sum is a hash.Hash.
type sum struct {
	group *Group
	// alone is crypto/md5's. It has everything while started is false; else it only serves to hash blocks.
	alone   hash.Hash
	started bool

	job     job
	partial [md5.BlockSize]byte
	n       int // bytes in partial
	length  uint64
}

func (h *sum) Size() int      { return md5.Size }
func (h *sum) BlockSize() int { return md5.BlockSize }

func (h *sum) Reset() {
	h.alone.Reset()
	h.started = false
}

// Write implements hash.Hash. It does not fail.
func (h *sum) Write(p []byte) (int, error) {
	if !h.started {
		if len(p) < minShared {
			return h.alone.Write(p)
		}
		h.start()
	}
	size := len(p)
	h.length += uint64(size)
	if h.n > 0 {
		n := copy(h.partial[h.n:], p)
		h.n, p = h.n+n, p[n:]
		if h.n < md5.BlockSize {
			return size, nil
		}
		h.job.hash(h.alone, h.partial[:])
		h.n = 0
	}
	whole := len(p) &^ (md5.BlockSize - 1)
	switch {
	case whole >= minShared:
		h.job.left = p[:whole]
		h.group.run(h)
	case whole > 0:
		h.job.hash(h.alone, p[:whole])
	}
	h.n = copy(h.partial[:], p[whole:])
	return size, nil
}

// start takes over what alone has.
func (h *sum) start() {
	h.started = true
	if h.job.wake == nil {
		h.job.wake = make(chan signal, 1)
	}
	s := marshal(h.alone)
	h.job.state = s.state()
	h.length = s.length()
	h.n = copy(h.partial[:], s.partial()[:h.length%md5.BlockSize])
}

// Sum implements hash.Hash.
func (h *sum) Sum(b []byte) []byte {
	if h.started {
		newSnapshot(h.job.state, h.partial[:h.n], h.length).restore(h.alone)
	}
	return h.alone.Sum(b)
}

// hash hashes whole blocks with crypto/md5.
func (j *job) hash(with hash.Hash, blocks []byte) {
	newSnapshot(j.state, nil, 0).restore(with)
	with.Write(blocks)
	j.state = marshal(with).state()
}

// run has the whole blocks of a job hashed, here or by another goroutine.
func (g *Group) run(h *sum) {
	g.mu.Lock()
	if g.leaders < max(1, runtime.GOMAXPROCS(0)/2) {
		g.leaders++
		g.mu.Unlock()
		g.lead(h)
		return
	}
	g.queue = append(g.queue, &h.job)
	g.mu.Unlock()
	if <-h.job.wake == lead {
		g.lead(h)
	}
}

// lead computes until the job of h is done, and then hands over.
func (g *Group) lead(h *sum) {
	var (
		room [lanes]*job
		jobs = append(room[:0], &h.job)
		p    pass
	)
	for len(h.job.left) > 0 {
		if jobs = g.take(jobs); len(jobs) == 1 {
			// Whoever is ready to run may have bytes as well. Without this most streams are hashed alone: of the processor
			// time of objects of 128 KiB, sent by 16 clients, MD5 was 29 % then, and is 18 % now.
			runtime.Gosched()
			jobs = g.take(jobs)
		}
		if len(jobs) > 1 {
			p.run(jobs)
		} else {
			blocks := h.job.left[:min(len(h.job.left), passBlocks*md5.BlockSize)]
			h.job.hash(h.alone, blocks)
			h.job.left = h.job.left[len(blocks):]
		}
		going := jobs[:0]
		for _, j := range jobs {
			switch {
			case len(j.left) > 0:
				going = append(going, j)
			case j != &h.job:
				j.wake <- done
			}
		}
		jobs = going
	}
	g.handOver(jobs)
}

// take adds jobs of the queue as far as there are lanes.
func (g *Group) take(jobs []*job) []*job {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(lanes-len(jobs), len(g.queue))
	jobs = append(jobs, g.queue[:n]...)
	g.queue = slices.Delete(g.queue, 0, n) // and forgets them: their bytes are others' memory
	return jobs
}

// handOver leaves unfinished jobs to one of those who wait for them, or for others.
func (g *Group) handOver(jobs []*job) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = append(g.queue, jobs...)
	if len(g.queue) == 0 {
		g.leaders--
		return
	}
	next := g.queue[0]
	g.queue = slices.Delete(g.queue, 0, 1)
	next.wake <- lead // there is room: nobody has woken it yet
}

// pass is the memory of passes.
type pass struct {
	state [4][lanes]uint32
	next  [lanes]*byte
}

// run hashes as many blocks of each job as the shortest has, and at most passBlocks.
func (p *pass) run(jobs []*job) {
	blocks := passBlocks
	for i, j := range jobs {
		blocks = min(blocks, len(j.left)/md5.BlockSize)
		p.next[i] = &j.left[0]
		for k := range p.state {
			p.state[k][i] = j.state[k]
		}
	}
	for i := len(jobs); i < lanes; i++ {
		p.next[i] = p.next[0] // nobody looks at what becomes of it
	}
	blocks16(&p.state, &p.next, &constants, blocks)
	for i, j := range jobs {
		for k := range p.state {
			j.state[k] = p.state[k][i]
		}
		j.left = j.left[blocks*md5.BlockSize:]
	}
	p.next = [lanes]*byte{}
}

// snapshot is a crypto/md5 hash as it marshals itself: a magic, the four words of the state, the bytes of the block that is
// not complete, and the length.
type snapshot [len(magic) + 16 + md5.BlockSize + 8]byte

const magic = "md5\x01"

func marshal(from hash.Hash) *snapshot {
	var s snapshot
	b, err := from.(encoding.BinaryAppender).AppendBinary(s[:0])
	if err != nil || len(b) != len(s) || string(b[:len(magic)]) != magic {
		panic("multimd5: crypto/md5 marshals itself in another form") // tests would have seen that
	}
	return &s
}

func newSnapshot(state [4]uint32, partial []byte, length uint64) *snapshot {
	var s snapshot
	b := append(s[:0], magic...)
	for _, word := range state {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	copy(s[len(b):], partial)
	binary.BigEndian.PutUint64(s[len(s)-8:], length)
	return &s
}

func (s *snapshot) restore(into hash.Hash) {
	if err := into.(encoding.BinaryUnmarshaler).UnmarshalBinary(s[:]); err != nil {
		panic("multimd5: " + err.Error())
	}
}

func (s *snapshot) state() (words [4]uint32) {
	for i := range words {
		words[i] = binary.BigEndian.Uint32(s[len(magic)+4*i:])
	}
	return words
}

func (s *snapshot) partial() []byte { return s[len(magic)+16 : len(s)-8] }
func (s *snapshot) length() uint64  { return binary.BigEndian.Uint64(s[len(s)-8:]) }

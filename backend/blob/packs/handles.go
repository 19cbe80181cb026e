package packs

import (
	"container/list"
	"sync"
)

// maxHandles is how many packs that nobody reads at the moment are kept open.
const maxHandles = 256

// handles keeps packs open for reading. A file that is dropped or displaced is closed when its last reader has let go.
type handles struct {
	system fileSystem

	mu     sync.Mutex               // guards what follows; never held during a system call
	open   map[uint32]*list.Element // of order
	order  list.List                // of *handle, the one used last in front
	closed bool
}

// handle is a pack that is open for reading.
type handle struct {
	file    file
	number  uint32
	readers int  // guarded by handles.mu
	dropped bool // guarded by handles.mu: no longer in the map
}

func (h *handles) init(system fileSystem) {
	h.system = system
	h.open = make(map[uint32]*list.Element)
}

// acquire opens a pack, or finds it open. The caller releases it.
func (h *handles) acquire(number uint32, path string) (*handle, error) {
	if found := h.find(number); found != nil {
		return found, nil
	}
	f, err := h.system.open(path, false)
	if err != nil {
		return nil, err
	}
	opened := &handle{file: f, number: number, readers: 1}
	h.mu.Lock()
	if e := h.open[number]; e != nil { // somebody was faster
		found := e.Value.(*handle)
		found.readers++
		h.mu.Unlock()
		_ = f.close() // it was read only: closing has nothing to lose
		return found, nil
	}
	var idle *handle
	if h.closed {
		opened.dropped = true
	} else {
		h.open[number] = h.order.PushFront(opened)
		if h.order.Len() > maxHandles {
			idle = h.take(h.order.Back())
		}
	}
	h.mu.Unlock()
	idle.close()
	return opened, nil
}

func (h *handles) find(number uint32) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.open[number]
	if e == nil {
		return nil
	}
	h.order.MoveToFront(e)
	found := e.Value.(*handle)
	found.readers++
	return found
}

// take removes a handle, and returns it if it is to be closed. It is called with mu held.
func (h *handles) take(e *list.Element) *handle {
	taken := h.order.Remove(e).(*handle)
	delete(h.open, taken.number)
	taken.dropped = true
	if taken.readers > 0 {
		return nil
	}
	return taken
}

func (h *handles) release(used *handle) {
	h.mu.Lock()
	used.readers--
	last := used.dropped && used.readers == 0
	h.mu.Unlock()
	if last {
		used.close()
	}
}

// drop forgets a pack, which is removed: a later acquire asks the disk.
func (h *handles) drop(number uint32) {
	var idle *handle
	h.mu.Lock()
	if e := h.open[number]; e != nil {
		idle = h.take(e)
	}
	h.mu.Unlock()
	idle.close()
}

func (h *handles) close() {
	var idle []*handle
	h.mu.Lock()
	h.closed = true
	for h.order.Len() > 0 {
		idle = append(idle, h.take(h.order.Front()))
	}
	h.mu.Unlock()
	for _, one := range idle {
		one.close()
	}
}

func (h *handle) close() {
	if h != nil {
		_ = h.file.close() // it was read only: closing has nothing to lose
	}
}

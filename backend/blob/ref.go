package blob

// Place is where a store keeps a blob, where it does not find it by its id alone. Its meaning is the store's; metadata
// keeps it beside the id and gives it back. The zero Place says that the id is enough.
type Place uint64

// Ref names a blob to its store.
type Ref struct {
	ID    ID
	Size  int64
	Place Place
}

package policy

import (
	"strings"
	"unicode/utf8"
)

// In a pattern every byte stands for itself but these two, which occur in no UTF-8 text. So the text that a request
// puts into a pattern, and the ${*} of a policy, cannot be taken for wildcards.
const (
	anyText      = 0xfe // "*": any number of characters, none as well
	anyCharacter = 0xff // "?": one character

	star = "\xfe"
)

// appendPattern appends text with its wildcards made into those of a pattern.
func appendPattern(pattern []byte, text string) []byte {
	for i := range len(text) {
		switch text[i] {
		case '*':
			pattern = append(pattern, anyText)
		case '?':
			pattern = append(pattern, anyCharacter)
		default:
			pattern = append(pattern, text[i])
		}
	}
	return pattern
}

func patternOf(text string) string { return string(appendPattern(nil, text)) }

func hasWildcard(pattern string) bool {
	return strings.IndexByte(pattern, anyText) >= 0 || strings.IndexByte(pattern, anyCharacter) >= 0
}

// match reports whether s as a whole is what the pattern describes. Text between two stars is taken where it is found
// first, which is right because the star after it takes whatever follows; nothing is ever tried again further left. In
// text that is not UTF-8, what "?" takes for a character is not defined.
func match(pattern, s string) bool {
	head, pattern, starred := strings.Cut(pattern, star)
	n, ok := matchStart(head, s)
	if !starred {
		return ok && n == len(s)
	}
	if !ok {
		return false
	}
	s = s[n:]
	for {
		run, rest, more := strings.Cut(pattern, star)
		if !more {
			return matchEnd(run, s)
		}
		end := find(run, s)
		if end < 0 {
			return false
		}
		s, pattern = s[end:], rest
	}
}

// matchStart matches a run without stars at the start of s and returns how many bytes it took.
func matchStart(run, s string) (int, bool) {
	n := 0
	for i := range len(run) {
		if n == len(s) {
			return 0, false
		}
		if run[i] == anyCharacter {
			_, width := utf8.DecodeRuneInString(s[n:])
			n += width
			continue
		}
		if run[i] != s[n] {
			return 0, false
		}
		n++
	}
	return n, true
}

// matchEnd reports whether s ends with a run without stars.
func matchEnd(run, s string) bool {
	if strings.IndexByte(run, anyCharacter) < 0 {
		return strings.HasSuffix(s, run)
	}
	for i := len(run) - 1; i >= 0; i-- {
		if s == "" {
			return false
		}
		if run[i] == anyCharacter {
			_, width := utf8.DecodeLastRuneInString(s)
			s = s[:len(s)-width]
			continue
		}
		if run[i] != s[len(s)-1] {
			return false
		}
		s = s[:len(s)-1]
	}
	return true
}

// find returns the end of the first place in s where a run without stars matches, -1 where there is none. Where the run
// has "?" in it, all places are tried at once (the Shift-And algorithm): bit i of the state is set where the first i+1
// bytes of the run match what ends here. So a byte of s costs one step for every 64 bytes of the run, never more.
func find(run, s string) int {
	if strings.IndexByte(run, anyCharacter) < 0 {
		i := strings.Index(s, run)
		if i < 0 {
			return -1
		}
		return i + len(run)
	}
	var (
		words        = (len(run) + 63) / 64
		oneTable     [tableRows]uint64
		oneState     [1]uint64
		table, state = oneTable[:], oneState[:]
		accept       = uint64(1) << ((len(run) - 1) % 64)
	)
	if words > 1 {
		table, state = make([]uint64, tableRows*words), make([]uint64, words)
	}
	fillTable(table, words, run)
	open := table[anyCharacterRow*words:]
	for i := range len(s) {
		row := table[int(s[i])*words:]
		carry := uint64(1) // a match may begin anywhere
		for w, d := range state {
			next := (d<<1 | carry) & row[w]
			if continues(s[i]) {
				next |= d & open[w] // still the same character
			}
			state[w], carry = next, d>>63
		}
		if state[words-1]&accept == 0 {
			continue
		}
		end := i + 1
		for run[len(run)-1] == anyCharacter && end < len(s) && continues(s[end]) {
			end++
		}
		return end
	}
	return -1
}

// A table has, for every byte, a row of bits for the places of a run where that byte may stand, and one for the places
// of "?".
const (
	anyCharacterRow = 256
	tableRows       = 257
)

func fillTable(table []uint64, words int, run string) {
	for i := range len(run) {
		w, bit := i/64, uint64(1)<<(i%64)
		if run[i] != anyCharacter {
			table[int(run[i])*words+w] |= bit
			continue
		}
		table[anyCharacterRow*words+w] |= bit
		for b := range anyCharacterRow {
			if !continues(byte(b)) {
				table[b*words+w] |= bit
			}
		}
	}
}

// continues reports whether a byte is not the first of a character in UTF-8.
func continues(b byte) bool { return b&0xc0 == 0x80 }

// arnParts is how many parts an ARN has; the last one may contain colons.
const arnParts = 6

// matchARN matches part by part, as ArnLike does: a wildcard does not reach over a colon before the last part. The
// pattern "*" alone is every ARN.
func matchARN(pattern, s string) bool {
	if pattern == star {
		return true
	}
	for range arnParts - 1 {
		var p, part string
		var inPattern, inS bool
		p, pattern, inPattern = strings.Cut(pattern, ":")
		part, s, inS = strings.Cut(s, ":")
		if !inPattern || !inS || !match(p, part) {
			return false
		}
	}
	return match(pattern, s)
}

package awschunked

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// trailerSignature is the trailer that signs the others.
const trailerSignature = "x-amz-trailer-signature"

// readTrailers reads the body to its end and checks the trailers.
func (r *Reader) readTrailers() error {
	trailers := make(map[string]string, len(r.cfg.TrailerNames))
	signature, err := r.readTrailerLines(trailers)
	if err != nil {
		return err
	}
	if !r.cfg.Trailer {
		return nil
	}
	// A signature stands behind signed trailers, also wrong ones: without it the body is not what it should be.
	if r.signer != nil && signature == "" {
		return r.fail(ErrMalformed, "there is no "+trailerSignature)
	}
	// In order: what is wrong with a body is always told in the same words.
	for _, name := range slices.Sorted(maps.Keys(trailers)) {
		if !slices.Contains(r.cfg.TrailerNames, name) {
			return r.fail(ErrTrailer, fmt.Sprintf("%.80q was not announced", name))
		}
	}
	for _, name := range r.cfg.TrailerNames {
		if _, ok := trailers[name]; !ok {
			return r.fail(ErrTrailer, fmt.Sprintf("there is no %q", name))
		}
	}
	if r.signer != nil {
		// S3 takes signed trailers only if there are any to sign.
		if len(trailers) == 0 {
			return r.fail(ErrTrailer, "there are no trailers")
		}
		if !r.signer.verifyTrailers(canonicalTrailers(trailers), signature) {
			return r.fail(ErrSignature, "the trailers' signature is wrong")
		}
	}
	r.trailers = trailers
	return nil
}

// readTrailerLines reads lines to the end of the body: trailers, announced or not, and empty ones.
func (r *Reader) readTrailerLines(trailers map[string]string) (signature string, err error) {
	total, empty := 0, 0
	for {
		line, err := r.line(bufferBytes)
		switch {
		case errors.Is(err, io.EOF) && total == 0 && len(r.cfg.TrailerNames) > 0:
			return "", r.fail(ErrTruncated, "the body ends where trailers should begin")
		case errors.Is(err, io.EOF):
			return signature, nil
		case errors.Is(err, bufio.ErrBufferFull):
			return "", r.fail(r.behind(), "a line behind it is too long")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return "", r.fail(ErrTruncated, "the body ends within a line behind it")
		case err != nil:
			return "", r.bodyError(err, "what is behind it")
		}
		if total += len(line); total > maxTrailerBytes {
			return "", r.fail(r.behind(), "there is too much behind it")
		}
		line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
		if len(line) == 0 {
			if empty++; empty > maxEmptyLines {
				return "", r.fail(ErrMalformed, "there are too many empty lines behind it")
			}
			continue
		}
		name, value, err := r.parseTrailer(line)
		if err != nil {
			return "", err
		}
		if r.signer != nil && name == trailerSignature && signature == "" {
			if len(value) != signatureDigits || !isHex([]byte(value)) {
				return "", r.fail(ErrMalformed, trailerSignature+" is no signature")
			}
			signature = value
			continue
		}
		// An empty line ends the trailers, and so does their signature.
		if empty > 0 || signature != "" {
			return "", r.fail(ErrMalformed, fmt.Sprintf("%.80q is behind the end", line))
		}
		if _, ok := trailers[name]; ok || len(trailers) == maxTrailers {
			return "", r.fail(ErrTrailer, fmt.Sprintf("%.80q is repeated, or one too many", name))
		}
		trailers[name] = value
	}
}

// behind is the reason for bytes behind the last chunk that cannot be read as lines.
func (r *Reader) behind() error {
	if r.cfg.Trailer {
		return ErrTrailer
	}
	return ErrMalformed
}

// parseTrailer reads "<name>:<value>". The name is returned in lower case, the value without blanks around it.
func (r *Reader) parseTrailer(line []byte) (name, value string, err error) {
	if !r.cfg.Trailer {
		return "", "", r.fail(ErrMalformed, fmt.Sprintf("%.80q is behind the end", line))
	}
	before, after, ok := bytes.Cut(line, []byte(":"))
	name = strings.ToLower(string(bytes.TrimSpace(before)))
	if !ok || name == "" {
		return "", "", r.fail(ErrTrailer, fmt.Sprintf("%.80q is no trailer", line))
	}
	return name, string(bytes.TrimSpace(after)), nil
}

// canonicalTrailers returns what the trailers' signature is over: "<name>:<value>\n" of each, sorted by name.
func canonicalTrailers(trailers map[string]string) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(trailers)) {
		b = append(b, name...)
		b = append(b, ':')
		b = append(b, trailers[name]...)
		b = append(b, '\n')
	}
	return b
}

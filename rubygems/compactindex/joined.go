package compactindex

// This file joins the lists of two registries. An upstream's may be large, and is read as it comes.

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"

	"larder/rubygems/names"
)

// Joined is one list of two registries: the upstream's, then our own, then what was appended to either since.
type Joined struct {
	Ours, Body []byte

	read int64  // bytes of the upstream's list,
	sum  string // and their sha256
}

// Theirs is an upstream's list. Open begins to read it, more than once if need be; Size is about how many bytes it has.
type Theirs struct {
	Size int64
	Open func() (io.ReadCloser, error)
}

// maxLine is the longest line of a list in bytes: that of a gem with all its versions.
const maxLine = 16 << 20

// errShrunk is an upstream's list that does not begin with what it was before.
var errShrunk = errors.New("not what it was before, and more")

// Follow makes the body of theirs and j.Ours. If both only grew since last, and nothing new in ours hides a name in
// theirs, it appends to last's body what is new. pass returns what of a line of theirs may be passed on.
func (j *Joined) Follow(last *Joined, theirs Theirs, pass func(line []byte) ([]byte, error)) error {
	if !bytes.HasPrefix(j.Ours, last.Ours) || last.hides(j.Ours[len(last.Ours):]) {
		last = &Joined{}
	}
	err := j.follow(last, theirs, pass)
	if err == errShrunk {
		err = j.follow(&Joined{}, theirs, pass)
	}
	return err
}

func (j *Joined) follow(last *Joined, theirs Theirs, pass func(line []byte) ([]byte, error)) error {
	in, err := theirs.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	sum := sha256.New()
	r := io.TeeReader(in, sum)
	if last.read > 0 {
		if j.read, err = io.CopyN(io.Discard, r, last.read); err == io.EOF || string(sum.Sum(nil)) != last.sum {
			return errShrunk
		}
		if err != nil {
			return err
		}
	}
	more := j.Ours[len(last.Ours):]
	j.Body = make([]byte, 0, len(last.Body)+int(max(theirs.Size-last.read, 0))+len(more))
	j.Body = append(j.Body, last.Body...)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	lines.Split(withNewline)
	for lines.Scan() {
		line, err := pass(lines.Bytes())
		if err != nil {
			return err
		}
		j.Body = append(j.Body, line...)
		j.read += int64(len(lines.Bytes()))
	}
	j.Body, j.sum = append(j.Body, more...), string(sum.Sum(nil))
	return lines.Err()
}

// withNewline splits a text into lines that keep their newline.
func withNewline(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// hides reports whether new lines of our own are about gems that j has of the upstream.
func (j *Joined) hides(more []byte) bool {
	fresh := map[string]bool{}
	for line := range bytes.Lines(more) {
		fresh[string(names.Fold(nameOf(line)))] = true
	}
	for line := range bytes.Lines(j.Ours) {
		if len(fresh) == 0 {
			return false
		}
		delete(fresh, string(names.Fold(nameOf(line)))) // theirs are left out already
	}
	if len(fresh) == 0 {
		return false
	}
	var folded []byte
	for line := range bytes.Lines(j.Body) {
		if folded = names.AppendFold(folded[:0], nameOf(line)); fresh[string(folded)] {
			return true
		}
	}
	return false
}

func nameOf(line []byte) []byte {
	name, _, _ := bytes.Cut(line, []byte(" "))
	return name
}

// SkipHead returns what follows the head of a list.
func SkipHead(list io.Reader) (io.Reader, error) {
	r := bufio.NewReader(list)
	for {
		switch line, err := r.ReadSlice('\n'); {
		case err == io.EOF || err == nil && string(line) == InfoHead:
			return r, nil
		case err != nil && err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

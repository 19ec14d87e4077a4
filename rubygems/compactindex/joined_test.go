package compactindex

// Lists of two registries in one: that it grows as both do, and is made anew when it cannot.

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// theirs is an upstream's list whose end fails with err.
func theirs(list string, err error) Theirs {
	return Theirs{Size: int64(len(list)), Open: func() (io.ReadCloser, error) {
		if err == nil {
			return io.NopCloser(strings.NewReader(list)), nil
		}
		return io.NopCloser(io.MultiReader(strings.NewReader(list), failing{err})), nil
	}}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func all(line []byte) ([]byte, error) { return line, nil }

func TestJoinedListGrowsUnlessOursHidesAName(t *testing.T) {
	const before, mine = listHead + "rack 1.0 00\n", "mine 1.0 00\n"
	last := &Joined{Ours: []byte(mine)}
	if err := last.Follow(&Joined{}, theirs(before, nil), all); err != nil || string(last.Body) != before+mine {
		t.Fatalf("the list is %q, %v, want %q", last.Body, err, before+mine)
	}
	for what, c := range map[string]struct {
		theirs, ours, want string
	}{
		"nothing new":     {before, mine, before + mine},
		"theirs grew":     {before + "rails 1.0 00\n", mine, before + mine + "rails 1.0 00\n"},
		"ours grew":       {before, mine + "mine 1.1 00\nrac 1.0 00\n", before + mine + "mine 1.1 00\nrac 1.0 00\n"},
		"both grew":       {before + "a 1 00\n", mine + "b 1 00\n", before + mine + "a 1 00\nb 1 00\n"},
		"ours hides":      {before, mine + "rack 2.0 00\n", before + mine + "rack 2.0 00\n"},
		"in capitals":     {before + "a 1 00\n", mine + "Rack 2.0 00\n", before + "a 1 00\n" + mine + "Rack 2.0 00\n"},
		"theirs is new":   {listHead + "rails 1.0 00\nx 1 00\n", mine, listHead + "rails 1.0 00\nx 1 00\n" + mine},
		"theirs shrank":   {listHead, mine, listHead + mine},
		"ours is new":     {before + "a 1 00\n", "other 1.0 00\n", before + "a 1 00\nother 1.0 00\n"},
		"theirs has ours": {before + "mine 9 00\n", mine + "mine 2 00\n", before + mine + "mine 9 00\nmine 2 00\n"},
	} {
		next := &Joined{Ours: []byte(c.ours)}
		if err := next.Follow(last, theirs(c.theirs, nil), all); err != nil || string(next.Body) != c.want {
			t.Errorf("%s: the list is %q, %v, want %q", what, next.Body, err, c.want)
		}
		again := &Joined{Ours: next.Ours}
		if err := again.Follow(next, theirs(c.theirs, nil), all); err != nil || string(again.Body) != c.want {
			t.Errorf("%s, and nothing more: the list is %q, %v, want the same", what, again.Body, err)
		}
	}
}

func TestJoinedListOfATextThatCannotBeRead(t *testing.T) {
	broken, refused := errors.New("unreadable"), errors.New("no answer")
	j := &Joined{}
	if err := j.Follow(&Joined{}, theirs(listHead, broken), all); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	no := func([]byte) ([]byte, error) { return nil, refused }
	if err := j.Follow(&Joined{}, theirs(listHead, nil), no); !errors.Is(err, refused) {
		t.Errorf("%v, want %v", err, refused)
	}
}

func TestHeadIsSkipped(t *testing.T) {
	for list, want := range map[string]string{
		listHead + "rack 1.0 00\n": "rack 1.0 00\n", InfoHead: "", "": "", "rack 1.0 00\n": "",
		strings.Repeat("x", 10_000) + "\n" + InfoHead + "a 1 00": "a 1 00",
	} {
		r, err := SkipHead(strings.NewReader(list))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("behind the head of %.40q is %q, %v, want %q", list, got, err, want)
		}
	}
}

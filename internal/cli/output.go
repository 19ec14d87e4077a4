package cli

// This file prints tables, JSON, sizes, times and progress.

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
)

// printJSON writes v indented, as one document.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table writes rows under their heads, in columns. Nothing in a cell can steer the terminal.
func (a *app) table(heads []string, rows [][]string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{heads}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = oneLine(cell); cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// bytesText is n for people: three digits and a unit.
func bytesText(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), -1
	for value >= 1023.95 && unit < 5 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit])
}

// timeText is t for people, in UTC; nothing for no time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// countText writes a count that is not one of bytes.
func countText(n int64) string { return strconv.FormatInt(n, 10) }

// plural is "1 blob", "2 blobs".
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

// progress shows on stderr how far a long command is: a bar on a terminal, else a line every few seconds.
type progress struct {
	w      io.Writer
	label  string
	format func(int64) string
	tty    bool
	every  time.Duration
	now    func() time.Time

	last  time.Time
	drawn bool
}

// newProgress starts a display; format writes counts (bytesText for bytes).
func (a *app) newProgress(label string, format func(int64) string) *progress {
	p := &progress{w: a.stderr, label: label, format: format, tty: isTerminal(a.stderr), every: 3 * time.Second,
		now: time.Now}
	if p.tty {
		p.every = 100 * time.Millisecond
	}
	p.last = p.now()
	return p
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

const barWidth = 30

// update draws the present state unless the last one is too fresh. A total of 0 means it is not known.
func (p *progress) update(done, total int64) {
	now := p.now()
	if now.Sub(p.last) < p.every {
		return
	}
	p.last = now
	text := p.label + " " + p.format(done)
	if total > 0 {
		done = min(done, total)
		text = fmt.Sprintf("%s %s of %s (%d%%)", p.label, p.format(done), p.format(total),
			int64(100*float64(done)/float64(total)))
	}
	if !p.tty {
		fmt.Fprintln(p.w, text)
		return
	}
	p.drawn = true
	bar := ""
	if total > 0 {
		full := int(barWidth * float64(done) / float64(total))
		bar = "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] "
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s%s", bar, text)
}

// finish removes the bar, so that the result stands alone.
func (p *progress) finish() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

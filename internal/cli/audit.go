package cli

// This file has larder audit: reading, following and filtering the journal.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"larder/internal/config"
	"larder/store"
)

// auditFlags are the flags of audit.
type auditFlags struct {
	after               uint64
	limit               int
	kind, user, pkg, op string
	follow, json        bool
	forward             bool // from after on, instead of the last entries
	archive, all        bool // from the archives on; no limit
	since               time.Time
}

// pageMost is how many entries one request asks for; followWait is how long the server may wait for the next one.
const (
	pageMost   = 1000
	followWait = 30 * time.Second
)

func (a *app) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show the journal of changes",
		Long: "Show the last entries of the journal, oldest first, or those after a sequence number or since a time.\n" +
			"Entries that have moved to the monthly archives in DATA/journal are shown with --archive, and with --since if\n" +
			"it goes back that far; both show all there are unless --limit is given.\n" +
			"With --json each entry is one JSON object on a line of its own. In --user and --package * matches any run of " +
			"characters.",
		Args: exactly(),
	}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	var f auditFlags
	fs := cmd.Flags()
	fs.Uint64Var(&f.after, "after", 0, "show what follows this sequence number, instead of the last entries")
	fs.IntVar(&f.limit, "limit", 50, "show at most this many entries")
	fs.StringVar(&f.kind, "kind", "", "only this kind of package")
	fs.StringVar(&f.user, "user", "", "only changes by this user")
	fs.StringVar(&f.pkg, "package", "", "only changes of this package")
	fs.StringVar(&f.op, "operation", "", "only this operation, e.g. publish")
	fs.BoolVar(&f.archive, "archive", false, "begin with the archives")
	since := fs.String(
		"since", "", "show what changed since a date or time (2026-01-31, 2026-01-31T12:00:00Z) or for so long (30d)",
	)
	fs.BoolVar(&f.follow, "follow", false, "go on with new entries until interrupted")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if f.since, err = parseSince(*since, time.Now()); err != nil {
			return err
		}
		f.json, f.archive = *asJSON, f.archive || !f.since.IsZero()
		f.forward, f.all = fs.Changed("after") || f.archive, f.archive && !fs.Changed("limit")
		if f.limit < 1 {
			return usagef("--limit must be at least 1")
		}
		if _, err := store.ParseKind(f.kind); f.kind != "" && err != nil {
			return usagef("--kind: %q is not a kind of package", f.kind)
		}
		return a.withClient(cmd.Context(), s, false, func(c *client, cfg config.Config) error {
			if f.follow && !c.live {
				return fmt.Errorf("no server runs on %s, so there is nothing to follow", cfg.Data)
			}
			return a.audit(cmd.Context(), c, f)
		})
	}
	return cmd
}

// journalPage is what the API answers.
type journalPage struct {
	Entries []store.Entry `json:"entries"`
	Last    uint64        `json:"last"`
}

// audit prints up to limit entries, then with --follow those that come.
func (a *app) audit(ctx context.Context, c *client, f auditFlags) error {
	print := a.entryPrinter(f.json)
	if f.archive {
		if err := f.fromArchives(ctx, c, print); err != nil || f.limit == 0 {
			return err
		}
	}
	if f.all {
		f.limit = pageMost
	}
	page, err := a.firstEntries(ctx, c, f)
	if err != nil {
		return err
	}
	for {
		if err := print(page.Entries); err != nil || !f.all || len(page.Entries) == 0 {
			break
		}
		f.after = page.Last
		if page, err = a.firstEntries(ctx, c, f); err != nil {
			return err
		}
	}
	if err != nil || !f.follow {
		return err
	}
	for {
		query := f.query(pageMost)
		query.Set("after", strconv.FormatUint(page.Last, 10))
		query.Set("wait", strconv.Itoa(int(followWait.Seconds())))
		page = journalPage{}
		err := c.do(ctx, http.MethodGet, "journal?"+query.Encode(), nil, &page)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := print(page.Entries); err != nil {
			return err
		}
	}
}

// firstEntries asks page by page for the entries --after and --limit select: forwards from --after, else backwards from
// the end.
func (a *app) firstEntries(ctx context.Context, c *client, f auditFlags) (journalPage, error) {
	all := journalPage{Last: f.after}
	before := uint64(0)
	for left := f.limit; left > 0; left = f.limit - len(all.Entries) {
		query := f.query(min(left, pageMost))
		if f.forward {
			query.Set("after", strconv.FormatUint(all.Last, 10))
		} else {
			query.Set("tail", "1")
			query.Set("before", strconv.FormatUint(before, 10))
		}
		var page journalPage
		if err := c.do(ctx, http.MethodGet, "journal?"+query.Encode(), nil, &page); err != nil {
			return all, err
		}
		if f.forward || before == 0 {
			all.Last = page.Last
		}
		if len(page.Entries) == 0 {
			break
		}
		if f.forward {
			all.Entries = append(all.Entries, page.Entries...)
		} else {
			all.Entries = append(page.Entries, all.Entries...)
			before = page.Entries[0].Seq
		}
	}
	return all, nil
}

// parseSince reads the time of --since: a date, a time, or how long before now.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	var d config.Duration
	if err := d.Set(text); err != nil || d <= 0 {
		return time.Time{}, usagef(
			"--since: %q is neither a date such as 2026-01-31, a time such as 2026-01-31T12:00:00Z, nor a duration such as 30d",
			text,
		)
	}
	return now.Add(-d.Std()), nil
}

// fromArchives prints what is in archives, up to the limit, and sets after and limit to what is left to do.
func (f *auditFlags) fromArchives(ctx context.Context, c *client, print func([]store.Entry) error) error {
	query := f.query(pageMost)
	query.Set("after", strconv.FormatUint(f.after, 10))
	resp, err := c.send(ctx, http.MethodGet, "journal/archive?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for dec := json.NewDecoder(resp.Body); ; {
		var line struct {
			store.Entry
			Last  *uint64 `json:"last"`
			Error string  `json:"error"`
		}
		if err := dec.Decode(&line); err != nil {
			return brokenOff(ctx, fmt.Errorf("read answer: %w", err))
		}
		switch {
		case line.Error != "":
			return &apiError{resp.StatusCode, line.Error}
		case line.Last != nil:
			f.after = *line.Last
			return nil
		}
		if err := print([]store.Entry{line.Entry}); err != nil {
			return err
		}
		if !f.all {
			if f.limit--; f.limit == 0 {
				return nil
			}
		}
	}
}

// query holds the filters.
func (f auditFlags) query(limit int) url.Values {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	filters := map[string]string{"kind": f.kind, "user": f.user, "package": f.pkg, "op": f.op}
	if !f.since.IsZero() {
		filters["since"] = f.since.UTC().Format(time.RFC3339)
	}
	for name, value := range filters {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// entryPrinter prints entries as they come: JSON lines, or columns of a fixed width, since later ones are not known
// yet.
func (a *app) entryPrinter(asJSON bool) func([]store.Entry) error {
	if asJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		return func(entries []store.Entry) error {
			for _, e := range entries {
				if err := enc.Encode(e); err != nil {
					return err
				}
			}
			return nil
		}
	}
	const columns = "%-8s %-20s %-14s %-12s %s"
	head := true
	return func(entries []store.Entry) error {
		if head {
			head = false
			if err := a.say(columns, "SEQ", "TIME", "OPERATION", "USER", "WHAT"); err != nil {
				return err
			}
		}
		for _, e := range entries {
			if err := a.say(columns, strconv.FormatUint(e.Seq, 10), timeText(e.Time), e.Op, actorText(e.Actor),
				what(e)); err != nil {
				return err
			}
		}
		return nil
	}
}

func actorText(a store.Actor) string {
	if a.User == "" {
		return "-"
	}
	return a.User
}

// what is the entry's subject: kind, package, version or tag, size and note, as far as it has them.
func what(e store.Entry) string {
	var parts []string
	for _, s := range []string{string(e.Kind), e.Package} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Tag != "" {
		parts = append(parts, "tag "+e.Tag)
	}
	if e.Version != "" {
		parts = append(parts, e.Version)
	}
	if e.Bytes != 0 {
		parts = append(parts, bytesText(e.Bytes))
	}
	if e.Note != "" {
		parts = append(parts, e.Note)
	}
	return strings.Join(parts, " ")
}

package cli

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
	kind, user, pkg     string
	follow, json, since bool
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
		Long: "Show the last entries of the journal, oldest first, or those after a sequence number.\n" +
			"With --json each entry is one JSON object on a line of its own. In --user and --package * matches any run of characters.",
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
	fs.BoolVar(&f.follow, "follow", false, "go on with new entries until interrupted")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f.json, f.since = *asJSON, fs.Changed("after")
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
	page, err := a.firstEntries(ctx, c, f)
	if err != nil {
		return err
	}
	if err := print(page.Entries); err != nil || !f.follow {
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
		if f.since {
			query.Set("after", strconv.FormatUint(all.Last, 10))
		} else {
			query.Set("tail", "1")
			query.Set("before", strconv.FormatUint(before, 10))
		}
		var page journalPage
		if err := c.do(ctx, http.MethodGet, "journal?"+query.Encode(), nil, &page); err != nil {
			return all, err
		}
		if f.since || before == 0 {
			all.Last = page.Last
		}
		if len(page.Entries) == 0 {
			break
		}
		if f.since {
			all.Entries = append(all.Entries, page.Entries...)
		} else {
			all.Entries = append(page.Entries, all.Entries...)
			before = page.Entries[0].Seq
		}
	}
	return all, nil
}

// query holds the filters.
func (f auditFlags) query(limit int) url.Values {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	for name, value := range map[string]string{"kind": f.kind, "user": f.user, "package": f.pkg} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// entryPrinter prints entries as they come: JSON lines, or columns of a fixed width, since later ones are not known yet.
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
			if err := a.say(columns, strconv.FormatUint(e.Seq, 10), timeText(e.Time), e.Op, actorText(e.Actor), what(e)); err != nil {
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

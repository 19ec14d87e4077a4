package cli

// This file has larder traffic: what clients asked for, by hour or day.

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"larder/upstream"
	"larder/web"
)

func (a *app) trafficCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "traffic", Short: "Show how much was asked for, answered and saved",
		Long: "Show the requests of clients and the bytes they were sent, by kind and upstream; what is published here\n" +
			"has no upstream. The figures of each hour are kept for 400 days.",
		Args: exactly(),
	}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	since := cmd.Flags().String(
		"since", "1d", "begin at a date or time (2026-01-31, 2026-01-31T12:00:00Z) or so long ago (30d)",
	)
	by := cmd.Flags().String("by", "day", "add up by hour, day or total")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		from, err := parseSince(*since, time.Now())
		if err != nil {
			return err
		}
		q := url.Values{"since": {from.UTC().Format(time.RFC3339)}, "by": {*by}}
		question := query{method: http.MethodGet, path: "traffic?" + q.Encode()}
		return ask(a, cmd, s, question, func(list web.TrafficList) error {
			return a.show(*asJSON, list, func() error { return a.sayTraffic(list.Traffic, *by) })
		})
	}
	return cmd
}

func (a *app) sayTraffic(list []upstream.TrafficRow, by string) error {
	head := []string{"KIND", "UPSTREAM", "REQUESTS", "HITS", "MISSES", "STALE", "ABSENT", "SENT", "FETCHED", "SAVED"}
	form := map[string]string{"hour": "2006-01-02 15:04", "day": time.DateOnly}[by]
	if form != "" {
		head = append([]string{"FROM"}, head...)
	}
	var rows [][]string
	for _, t := range list {
		row := []string{string(t.Kind), t.Upstream}
		for _, n := range []int64{t.Requests, t.Hits, t.Misses, t.Stale, t.Absent} {
			row = append(row, strconv.FormatInt(n, 10))
		}
		row = append(row, bytesText(t.Sent), bytesText(t.Fetched), bytesText(t.Saved))
		if form != "" {
			row = append([]string{t.From.UTC().Format(form)}, row...)
		}
		rows = append(rows, row)
	}
	return a.table(head, rows)
}

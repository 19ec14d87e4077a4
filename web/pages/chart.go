package pages

// The chart of pulls: bars as SVG, drawn here, with the same figures as a table.

import (
	"time"

	"larder/store"
	"larder/web/catalog"
)

// chart is the pulls of a package by day.
type chart struct {
	Sum, Total   int64 // of the days, and of all times
	Last         time.Time
	LastText     any
	From, To     time.Time
	Lowest, Most int64
	Bars         []bar
	Weeks        []week
}

// bar is one day: its place and height in the drawing, which is 900 by 40.
type bar struct {
	Day     string
	Count   int64
	X       int
	Y, Tall string
}

// week is a row of the table.
type week struct {
	From  string
	Count int64
}

const (
	chartDays   = catalog.Days
	chartHeight = 38.0
)

// drawPulls draws the last 90 days; nil when there was no pull ever.
func drawPulls(p store.Pulls, now time.Time) *chart {
	if p.Total == 0 {
		return nil
	}
	today := now.UTC().Truncate(24 * time.Hour)
	c := &chart{
		Total: p.Total, Last: p.Last, LastText: last(p.Last, now), To: today, From: today.AddDate(0, 0, 1-chartDays),
	}
	first := c.From.Unix() / (24 * 3600)
	for i := range int64(chartDays) {
		n := p.Days[first+i]
		c.Sum, c.Most = c.Sum+n, max(c.Most, n)
		if i == 0 || n < c.Lowest {
			c.Lowest = n
		}
	}
	for i := range int64(chartDays) {
		n, day := p.Days[first+i], c.From.AddDate(0, 0, int(i)).Format(dayForm)
		if i%7 == 0 {
			c.Weeks = append(c.Weeks, week{From: day})
		}
		c.Weeks[len(c.Weeks)-1].Count += n
		if n == 0 {
			continue
		}
		tall := max(chartHeight*float64(n)/float64(c.Most), 1)
		c.Bars = append(c.Bars, bar{day, n, int(i)*10 + 1, decimal(40 - tall), decimal(tall)})
	}
	return c
}

package pages

// The charts of what was asked for: a bar a day, drawn here, with the same figures as a table.

import (
	"context"
	"fmt"
	"time"

	"larder/store"
	"larder/upstream"
)

// shownDays is how many days charts of traffic show.
const shownDays = 30

// barChart is a figure of each of the last 30 days.
type barChart struct {
	ID, Title string
	Sum       string // of all days
	Note      string // what the second colour is
	Edge      string // the highest or lowest day, in words
	From, To  time.Time
	Bars      []dayBar
	Heads     []string // of the table
	Rows      []dayRow
}

// dayBar is a bar in a drawing of 300 by 100: its upper part, and the lower part in the second colour.
type dayBar struct {
	Title                      string
	X                          int
	Y, Tall, LowerY, LowerTall string
	Upper, Lower               bool
}

// dayRow is a row of the table.
type dayRow struct {
	Day   string
	Cells []string
}

// dayTraffic is what was answered on one day by all sources.
type dayTraffic struct {
	store.Traffic               // of all
	copies        store.Traffic // of what is an upstream's
	saved         int64
}

func (d *dayTraffic) add(row upstream.TrafficRow) {
	d.Traffic = d.Plus(row.Traffic)
	if row.Upstream != "" {
		d.copies = d.copies.Plus(row.Traffic)
		d.saved += row.Saved
	}
}

// charts fills in the charts of the last 30 days, today included.
func (p *Pages) charts(ctx context.Context, o *overview) error {
	today := p.d.Now().UTC().Truncate(24 * time.Hour)
	from := today.AddDate(0, 0, 1-shownDays)
	rows, err := p.d.Wire.Upstreams.Traffic(ctx, p.d.Wire.Store, from, upstream.ByDay)
	if err != nil {
		return err
	}
	var all dayTraffic
	days := make([]dayTraffic, shownDays)
	for _, row := range rows {
		if i := int(row.From.Sub(from) / (24 * time.Hour)); i >= 0 && i < shownDays {
			days[i].add(row)
		}
		all.add(row)
	}
	o.Saved = all.saved
	o.Charts = []barChart{drawRequests(from, days, all), drawRatio(from, days, all), drawSaved(from, days, all)}
	return nil
}

// draw makes the bars of values whose lower parts are in the second colour.
func draw(c barChart, from time.Time, values, lower []float64, titles []string) barChart {
	c.From, c.To = from, from.AddDate(0, 0, len(values)-1)
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	for i, v := range values {
		day := from.AddDate(0, 0, i).Format(dayForm)
		c.Rows[i].Day = day
		if v == 0 {
			continue
		}
		tall := max(98*v/most, 1)
		under := tall * lower[i] / v
		c.Bars = append(c.Bars, dayBar{
			Title: day + ": " + titles[i], X: i*10 + 1, Y: decimal(100 - tall), Tall: decimal(tall - under),
			LowerY: decimal(100 - under), LowerTall: decimal(under), Upper: tall > under, Lower: under > 0,
		})
	}
	return c
}

func drawRequests(from time.Time, days []dayTraffic, all dayTraffic) barChart {
	c := barChart{
		ID: "requests", Title: "Requests", Sum: number(all.Requests), Note: "misses in grey",
		Heads: []string{"Requests", "Hits", "Misses"},
	}
	var values, lower []float64
	var titles []string
	most := int64(0)
	for _, d := range days {
		misses := min(d.Misses, d.Requests)
		values, lower = append(values, float64(d.Requests)), append(lower, float64(misses))
		titles = append(titles, fmt.Sprintf("%s, %s", pluralOf(d.Requests, "request", "requests"),
			pluralOf(d.Misses, "miss", "misses")))
		c.Rows = append(c.Rows, dayRow{Cells: []string{number(d.Requests), number(d.Hits + d.Stale), number(d.Misses)}})
		most = max(most, d.Requests)
	}
	c.Edge = "highest " + number(most)
	return draw(c, from, values, lower, titles)
}

// percent is a ratio in words.
func percent(t store.Traffic) string {
	ratio, known := t.HitRatio()
	if !known {
		return ""
	}
	return decimal(100*ratio) + "\u00a0%"
}

func drawRatio(from time.Time, days []dayTraffic, all dayTraffic) barChart {
	c := barChart{ID: "ratio", Title: "Hit ratio", Sum: percent(all.copies), Heads: []string{"Ratio"}}
	var values []float64
	var titles []string
	lowest, of := 2.0, store.Traffic{}
	for _, d := range days {
		ratio, known := d.copies.HitRatio()
		if known && ratio < lowest {
			lowest, of = ratio, d.copies
		}
		if !known {
			ratio = 0
		}
		values, titles = append(values, ratio), append(titles, percent(d.copies))
		c.Rows = append(c.Rows, dayRow{Cells: []string{percent(d.copies)}})
	}
	if c.Edge = "nothing of upstreams was asked for"; lowest <= 1 {
		c.Edge = "lowest " + percent(of)
	}
	return draw(c, from, values, make([]float64, len(values)), titles)
}

func drawSaved(from time.Time, days []dayTraffic, all dayTraffic) barChart {
	c := barChart{
		ID: "saved", Title: "Bytes saved", Sum: size(all.saved), Note: "fetched in grey",
		Heads: []string{"Sent", "Fetched", "Saved"},
	}
	var values, lower []float64
	var titles []string
	most := int64(0)
	for _, d := range days {
		values, lower = append(values, float64(d.saved+d.copies.Fetched)), append(lower, float64(d.copies.Fetched))
		titles = append(titles, fmt.Sprintf("%s saved, %s fetched", size(d.saved), size(d.copies.Fetched)))
		c.Rows = append(c.Rows, dayRow{Cells: []string{size(d.copies.Sent), size(d.copies.Fetched), size(d.saved)}})
		most = max(most, d.saved)
	}
	c.Edge = "most " + size(most)
	return draw(c, from, values, lower, titles)
}

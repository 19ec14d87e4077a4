package setup

// This file merges JSON and Maven's settings.xml, whose values stand in each other.

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// member is a member of a JSON object: its key, and where its value stands in the text.
type member struct {
	key        string
	start, end int64
}

// members reads the members of the object that is text; open is the offset behind its brace.
func members(text string) (list []member, open int64, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	token, err := d.Token()
	if err != nil || token != json.Delim('{') {
		return nil, 0, errors.New("there is something else than a JSON object where settings belong")
	}
	open = d.InputOffset()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, 0, fmt.Errorf("it is no JSON (%v)", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, 0, fmt.Errorf("it is no JSON (%v)", err)
		}
		end := d.InputOffset()
		list = append(list, member{key.(string), end - int64(len(value)), end})
	}
	if _, err := d.Token(); err != nil {
		return nil, 0, fmt.Errorf("it is no JSON (%v)", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, 0, errors.New("something follows the JSON object")
	}
	return list, open, nil
}

// mergeJSON puts the members of the object add into the object old, objects into objects.
func mergeJSON(old, add string) (string, error) {
	fresh, _, err := members(add)
	if err != nil {
		return "", err
	}
	for _, m := range fresh {
		if m.key == "auths" && strings.Contains(old, `"credsStore"`) {
			return "", errors.New("it keeps logins in a helper (credsStore): log in with the client")
		}
		if old, err = setMember(old, m.key, add[m.start:m.end]); err != nil {
			return "", err
		}
	}
	return old, nil
}

func setMember(old, key, value string) (string, error) {
	list, open, err := members(old)
	if err != nil {
		return "", err
	}
	for _, m := range list {
		if m.key != key {
			continue
		}
		if value[0] == '{' {
			if value, err = mergeJSON(old[m.start:m.end], value); err != nil {
				return "", err
			}
		}
		return old[:m.start] + value + old[m.end:], nil
	}
	name, err := json.Marshal(key)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return old[:open] + string(name) + ": " + value + strings.TrimLeft(old[open:], " \t\r\n"), nil
	}
	// It stands where the first member stood, with the same white space before both.
	rest := old[open:]
	space := rest[:len(rest)-len(strings.TrimLeft(rest, " \t\r\n"))]
	return old[:open] + space + string(name) + ": " + compact(value) + "," + rest, nil
}

// compact is a JSON value on one line.
func compact(value string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(value)) != nil {
		return value
	}
	return b.String()
}

// element is where an element of XML begins, where its content begins, and where it ends.
type element struct {
	name             string
	open, inner, end int64
	own              bool // its id is larder
}

// mergeXML puts the servers and mirrors of add first into those of old, in place of one whose id is larder.
func mergeXML(old, add string) (string, error) {
	groups := strings.Split(strings.TrimSuffix(strings.TrimPrefix(add, "<settings>\n"), "\n</settings>"), "\n")
	name := strings.Trim(groups[0], " <>")
	item := strings.Join(groups[1:len(groups)-1], "\n")
	settings, group, own, err := findXML(old, name)
	if err != nil {
		return "", err
	}
	replace := func(from, to int64, text string) string { return old[:from] + text + old[to:] }
	switch {
	case settings.inner == settings.end:
		return "", errors.New("it has no settings, in the form of an element that ends at once")
	case own.end > 0:
		return replace(own.open, own.end, strings.TrimSpace(item)), nil
	case group.end > 0 && group.inner == group.end:
		return replace(group.open, group.end, strings.TrimSpace(strings.Join(groups, "\n"))), nil
	case group.end > 0:
		return replace(group.inner, group.inner, "\n"+item), nil
	}
	return replace(settings.inner, settings.inner, "\n"+strings.Join(groups, "\n")), nil
}

// findXML finds the element settings, the group of that name in it, and the group's item whose id is larder.
func findXML(text, name string) (settings, group, own element, err error) {
	d := xml.NewDecoder(strings.NewReader(text))
	var stack []element
	for {
		at := d.InputOffset()
		token, err := d.Token()
		if errors.Is(err, io.EOF) && settings.end > 0 {
			return settings, group, own, nil
		}
		if err != nil {
			return settings, group, own, fmt.Errorf("it is no settings.xml (%v)", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			stack = append(stack, element{name: token.Name.Local, open: at, inner: d.InputOffset()})
		case xml.CharData:
			if len(stack) == 4 && stack[3].name == "id" && strings.TrimSpace(string(token)) == "larder" {
				stack[2].own = true
			}
		case xml.EndElement:
			last := len(stack) - 1
			e := stack[last]
			e.end = d.InputOffset()
			switch {
			case last == 0 && e.name == "settings":
				settings = e
			case last == 1 && e.name == name:
				group = e
			case last == 2 && e.own && stack[1].name == name:
				own = e
			}
			stack = stack[:last]
		}
	}
}

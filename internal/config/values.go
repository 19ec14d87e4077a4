package config

// This file has the types of values: how each is read from text, and how it is written.

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"larder/store"
)

// value is what a flag, a variable and a scalar of the file set alike; it is a pflag.Value.
type value interface {
	Set(string) error
	String() string
	Type() string
}

// listValue is a value of several items; a source that sets it replaces the items of weaker sources.
type listValue interface {
	value
	setAll(items []string) error
}

// valueOf is what reads and writes the variable that p points to; integers of 64 bits are numbers of bytes. A type that
// it does not know is a mistake in a row.
func valueOf(p any) value {
	switch p := p.(type) {
	case value:
		return p
	case *string:
		return (*text)(p)
	case *bool:
		return (*boolean)(p)
	case *int:
		return (*number)(p)
	case *int64:
		return (*Size)(p)
	case *time.Duration:
		return (*Duration)(p)
	case *[]string:
		return (*texts)(p)
	case *[]netip.Prefix:
		return (*prefixes)(p)
	case *store.Kind:
		return (*kindValue)(p)
	}
	panic(fmt.Sprintf("config: a setting cannot be a %T", p))
}

// text is a string setting.
type text string

func (v *text) Set(s string) error { *v = text(s); return nil }
func (v *text) String() string     { return string(*v) }
func (v *text) Type() string       { return "string" }

// boolean is an on/off setting.
type boolean bool

func (v *boolean) Set(s string) error { return setTo((*bool)(v), s, parseBool) }
func (v *boolean) String() string     { return strconv.FormatBool(bool(*v)) }
func (v *boolean) Type() string       { return "bool" }

func parseBool(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", s)
	}
	return b, nil
}

// number is a count.
type number int

func (v *number) Set(s string) error { return setTo((*int)(v), s, parseNumber) }
func (v *number) String() string     { return strconv.Itoa(int(*v)) }
func (v *number) Type() string       { return "int" }

func parseNumber(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return int(n), nil
}

// texts is a list of strings; a flag or variable separates items by commas.
type texts []string

func (v *texts) Set(s string) error { return v.setAll(splitList(s)) }
func (v *texts) String() string     { return strings.Join(*v, ",") }
func (v *texts) Type() string       { return "list" }
func (v *texts) setAll(items []string) error {
	*v = append(texts(nil), items...)
	return nil
}

// splitList cuts at commas and drops empty items.
func splitList(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// prefixes is a list of address ranges; a bare address is a range of one.
type prefixes []netip.Prefix

func (v *prefixes) Set(s string) error { return v.setAll(splitList(s)) }
func (v *prefixes) String() string     { return strings.Join(v.items(), ",") }
func (v *prefixes) Type() string       { return "list" }

// items are the ranges as text; nil without any.
func (v *prefixes) items() []string {
	var items []string
	for _, p := range *v {
		items = append(items, p.String())
	}
	return items
}

func (v *prefixes) setAll(items []string) error {
	var all []netip.Prefix
	for _, item := range items {
		p, err := ParsePrefix(item)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	*v = all
	return nil
}

// ParsePrefix reads an address range such as 10.0.0.0/8, or a single address.
func ParsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a range such as 10.0.0.0/8", s)
	}
	return p.Masked(), nil
}

// kindValue is the name of a protocol.
type kindValue store.Kind

func (v *kindValue) String() string { return string(*v) }
func (v *kindValue) Type() string   { return "string" }

func (v *kindValue) Set(s string) error {
	k, err := store.ParseKind(s)
	if err != nil {
		return fmt.Errorf("%q is none of the kinds %s", s, kindNames())
	}
	*v = kindValue(k)
	return nil
}

// kindNames lists the kinds for sentences.
func kindNames() string {
	var names []string
	for _, k := range store.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// objectList is a setting of the file only: a list of mappings. It is a value to have a place in a row; no text sets
// it.
type objectList interface {
	value
	fields() []fieldText
	read(r *fileReader, path string, n *yaml.Node)
	printed() any
}

// fieldText is what the reference page says of a key of a mapping in a list.
type fieldText struct {
	name, help, typ string
	required        bool
}

// field is a row of what stands in a list: one key of its mappings.
type field[T any] struct {
	name string
	help string // whole sentences for the reference page
	at   func(*T) any
	// required fields are printed even when empty, secret ones never.
	required, secret bool
}

// objects is a list of T, each with the same keys.
type objects[T any] struct {
	list *[]T
	rows []field[T]
}

func (o objects[T]) Set(string) error { return fmt.Errorf("is set in the file only") }
func (o objects[T]) String() string   { return "" }
func (o objects[T]) Type() string     { return "objects" }

func (o objects[T]) fields() []fieldText {
	var all []fieldText
	for _, f := range o.rows {
		all = append(all, fieldText{f.name, f.help, valueOf(f.at(new(T))).Type(), f.required})
	}
	return all
}

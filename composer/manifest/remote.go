package manifest

// Versions of other repositories: checked, but otherwise kept as they are.

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"larder/internal/rawjson"
)

// Remote checks a version of another repository, which keeps its fields as they are: nothing in it may lead out of the
// package's folder, or be an option to a program (see sourceForm). Texts are returned as Scrub leaves them.
func Remote(v rawjson.Object, name string) (rawjson.Object, error) {
	if own := v.Text("name"); own != "" && !strings.EqualFold(own, name) {
		return nil, fmt.Errorf("it is called %.200q", own)
	}
	out := make(rawjson.Object, 0, len(v))
	for _, m := range v {
		value, err := Scrub(m.Value)
		if err != nil {
			return nil, fmt.Errorf("its %s: %w", m.Key, err)
		}
		var ok bool
		switch m.Key {
		case "bin", "target-dir", "include-path", "autoload":
			ok = everyText(value, IsInside)
		case "source", "dist":
			ok = everyText(value, func(s string) bool { return !isOption(s) })
		default:
			ok = true
		}
		if !ok {
			return nil, fmt.Errorf("its %s leads out of the package, or could be taken for an option", m.Key)
		}
		out = append(out, rawjson.Member{Key: m.Key, Value: value})
	}
	return out, nil
}

// everyText asks about each text in a value, at whatever depth. Keys are no paths.
func everyText(raw json.RawMessage, good func(string) bool) bool {
	tree, err := parseTree(append(append([]byte(`{"v":`), raw...), '}'))
	if err != nil {
		return false
	}
	return everyLeaf(tree.values["v"], good)
}

func everyLeaf(v any, good func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return good(v)
	case []any:
		for _, e := range v {
			if !everyLeaf(e, good) {
				return false
			}
		}
	case *object:
		for _, e := range v.values {
			if !everyLeaf(e, good) {
				return false
			}
		}
	}
	return true
}

// Scrub takes control characters out of the texts of a value (CVE-2025-67746); one without any is returned as it is.
func Scrub(raw json.RawMessage) (json.RawMessage, error) {
	if !hasControls(raw) {
		return raw, nil
	}
	tree, err := parseTree(append(append([]byte(`{"v":`), raw...), '}'))
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	return encode(nil, tree.values["v"]), nil
}

// hasControls looks for control characters in JSON, escaped or not; line breaks and tabs are none, as Composer prints
// them.
func hasControls(raw []byte) bool {
	for i := 0; i < len(raw); {
		c, size := utf8.DecodeRune(raw[i:])
		if c == '\\' && i+1 < len(raw) {
			size = 2
			switch raw[i+1] {
			case 'b', 'f':
				return true
			case 'u':
				var code [2]byte
				if i+6 > len(raw) {
					return true
				}
				if _, err := hex.Decode(code[:], raw[i+2:i+6]); err != nil {
					return true
				}
				c, size = rune(code[0])<<8|rune(code[1]), 6
			}
		}
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c >= 0x7f && c < 0xa0 {
			return true
		}
		i += size
	}
	return false
}

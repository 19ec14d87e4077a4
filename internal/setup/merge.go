package setup

// This file puts the text of a snippet into a file that a client already has, and leaves all else in it as it is.

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"
)

// Merge is the file old with what s says in it. Settings that old has otherwise are replaced, new ones stand where the
// form of the file wants them, and every other byte stays. An error is a sentence on why the file has to be changed by
// hand.
func Merge(s Snippet, old []byte) ([]byte, error) {
	name := path.Base(s.File)
	text, merged := string(old), ""
	var err error
	switch {
	case strings.TrimSpace(text) == "" && !strings.HasPrefix(text, "\ufeff"):
		return []byte(text + s.Text + "\n"), nil
	case path.Ext(name) == ".json":
		merged, err = mergeJSON(text, s.Text)
	case path.Ext(name) == ".xml":
		merged, err = mergeXML(text, s.Text)
	case path.Ext(name) == ".toml" || path.Ext(name) == ".conf" && name != "pip.conf":
		if merged, err = mergeLines(text, s.Text, tomlValue); err == nil {
			err = readable(sameTOML(text, s.Text, merged))
		}
	case slices.Contains([]string{".npmrc", "pip.conf", ".pypirc"}, name):
		merged, err = mergeLines(text, s.Text, iniValue(name != ".npmrc"))
	default:
		if merged, err = mergeYAML(text, s.Text, strings.HasSuffix(name, "gemrc")); err == nil {
			var all map[string]any
			err = readable(yaml.Unmarshal([]byte(merged), &all))
		}
	}
	return []byte(merged), err
}

// readable is the sentence on a file that cannot be read after the change.
func readable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("what would be written does not fit to what it has (%v)", err)
}

// sameTOML looks whether merged is what old says with what add says, and nothing else.
func sameTOML(old, add, merged string) error {
	var before, more, after map[string]any
	for text, into := range map[string]*map[string]any{old: &before, add: &more, merged: &after} {
		if err := toml.Unmarshal([]byte(text), into); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(overlaid(before, more), any(after)) {
		return errors.New("something else would change")
	}
	return nil
}

// overlaid is old with what add says: tables are joined, lists of tables made longer, and all else is replaced.
func overlaid(old, add any) any {
	switch add := add.(type) {
	case map[string]any:
		if table, ok := old.(map[string]any); ok {
			out := map[string]any{}
			maps.Copy(out, table)
			for key, value := range add {
				out[key] = overlaid(out[key], value)
			}
			return out
		}
	case []map[string]any:
		if list, ok := old.([]map[string]any); ok {
			return slices.Concat(list, add)
		}
	}
	return add
}

// splitLines gives a file's lines without their ends; ending is the carriage return before each, or nothing.
func splitLines(text string) (lines []string, ending string) {
	if text == "" {
		return nil, ""
	}
	lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if strings.HasSuffix(lines[0], "\r") {
		ending = "\r"
	}
	return lines, ending
}

func joinLines(lines []string) string { return strings.Join(lines, "\n") + "\n" }

// oneLined reports whether the value of the setting in line i ends in that line.
type oneLined func(lines []string, i int) bool

func tomlValue(lines []string, i int) bool {
	var all map[string]any
	return toml.Unmarshal([]byte(lines[i]), &all) == nil
}

// iniValue knows values that go on in indented lines, where a reader takes them for such.
func iniValue(indented bool) oneLined {
	return func(lines []string, i int) bool {
		return !indented || i+1 == len(lines) || strings.TrimSpace(lines[i+1]) == "" || !isIndented(lines[i+1])
	}
}

func isIndented(line string) bool {
	return strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
}

// mergeLines merges files that are sections of lines KEY = VALUE.
func mergeLines(old, text string, one oneLined) (string, error) {
	lines, ending := splitLines(old)
	section := ""
	add := strings.Split(text, "\n")
	for i, line := range add {
		switch {
		case line == "":
		case strings.HasPrefix(line, "[["):
			if slices.ContainsFunc(lines, func(l string) bool { return keyOf(l) == "name" && strings.Contains(l, `"larder"`) }) {
				return "", errors.New("it has an entry named larder already")
			}
			lines = append(lines, ending)
			for _, l := range add[i:] {
				lines = append(lines, l+ending)
			}
			return joinLines(lines), nil
		case strings.HasPrefix(line, "["):
			section = line
		default:
			var err error
			if lines, err = setLine(lines, section, line, ending, one); err != nil {
				return "", err
			}
		}
	}
	return joinLines(lines), nil
}

// setLine puts a setting into a section, in place of the last one of its key.
func setLine(lines []string, section, line, ending string, one oneLined) ([]string, error) {
	start, end := bounds(lines, section)
	if start < 0 {
		if len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) != "" {
			lines = append(lines, ending)
		}
		return append(lines, section+ending, line+ending), nil
	}
	key := keyOf(line)
	for i := end - 1; i >= start; i-- {
		if keyOf(lines[i]) != key {
			continue
		}
		if key == "index-servers" {
			return slices.Insert(lines, i+1, "    larder"+ending), nil
		}
		if !one(lines, i) {
			return nil, fmt.Errorf("the value of %s there takes more than a line", key)
		}
		lines[i] = line + ending
		return lines, nil
	}
	for end > start && strings.TrimSpace(lines[end-1]) == "" {
		end--
	}
	return slices.Insert(lines, end, line+ending), nil
}

// bounds are the lines of a section without its head, of what stands before the first one for "". start is negative
// where there is none.
func bounds(lines []string, section string) (start, end int) {
	if start = -1; section == "" {
		start = 0
	}
	for i, line := range lines {
		head, ok := headOf(line)
		switch {
		case ok && start >= 0:
			return start, i
		case ok && head == section:
			start = i + 1
		}
	}
	return start, len(lines)
}

// headOf is the head of a section as texts write it.
func headOf(line string) (string, bool) {
	line = strings.TrimSpace(line)
	end := strings.LastIndexByte(line, ']')
	if !strings.HasPrefix(line, "[") || end < 0 {
		return "", false
	}
	return strings.NewReplacer(" ", "", `"`, "", "'", "").Replace(line[:end+1]), true
}

// keyOf is the key of a line KEY = VALUE; "" for a comment and all else.
func keyOf(line string) string {
	line = strings.TrimSpace(line)
	if line == "" || strings.ContainsRune("#;[", rune(line[0])) {
		return ""
	}
	key, _, ok := strings.Cut(line, "=")
	if !ok {
		return ""
	}
	return strings.Trim(strings.TrimSpace(key), `"'`)
}

// yamlKey finds the key of a line that has one at its beginning.
var yamlKey = regexp.MustCompile(`^["']?([^\s"'#-].*?)["']?:(\s|$)`)

func yamlKeyOf(line string) string {
	if m := yamlKey.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// mergeYAML merges files that are a mapping with a key a line. What is a list is put before what the file has in its
// own list, or in place of it.
func mergeYAML(old, text string, replaceLists bool) (string, error) {
	lines, ending := splitLines(old)
	add := strings.Split(text, "\n")
	for len(add) > 0 {
		n := 1
		for n < len(add) && yamlKeyOf(add[n]) == "" {
			n++
		}
		block := slices.Clone(add[:n])
		add = add[n:]
		for i := range block {
			block[i] += ending
		}
		key := yamlKeyOf(block[0])
		if key == "" { // the line --- before the first key
			continue
		}
		i := slices.IndexFunc(lines, func(l string) bool { return yamlKeyOf(l) == key })
		if i < 0 {
			lines = append(lines, block...)
			continue
		}
		var err error
		if lines, err = setBlock(lines, i, block, replaceLists); err != nil {
			return "", err
		}
	}
	return joinLines(lines), nil
}

// setBlock puts a block in place of the one that begins in line i, or into it.
func setBlock(lines []string, i int, block []string, replace bool) ([]string, error) {
	key := yamlKeyOf(block[0])
	end := i + 1
	for end < len(lines) && (isIndented(lines[end]) || strings.HasPrefix(lines[end], "-") && lines[end] != "---") {
		end++
	}
	inline := strings.TrimSpace(lines[i]) != strings.TrimSpace(block[0])
	switch {
	case len(block) == 1 && end == i+1, replace && !inline && len(block) > 1:
		return slices.Replace(lines, i, end, block...), nil
	case len(block) == 1, inline, end == i+1:
		return nil, fmt.Errorf("the value of %s there is written in a form that this command does not change", key)
	}
	indent := lines[i+1][:len(lines[i+1])-len(strings.TrimLeft(lines[i+1], " \t"))]
	child := strings.TrimSpace(block[1])
	for _, line := range lines[i+1 : end] {
		if strings.TrimSpace(line) != child {
			continue
		}
		if strings.HasPrefix(child, "-") {
			return lines, nil
		}
		return nil, fmt.Errorf("%s there has %s already", key, strings.TrimSuffix(child, ":"))
	}
	fresh := make([]string, 0, len(block)-1)
	for _, line := range block[1:] {
		fresh = append(fresh, indent+strings.TrimPrefix(line, "  "))
	}
	return slices.Insert(lines, i+1, fresh...), nil
}

package checksum

import (
	"strings"
	"testing"
)

func TestA5_ParseSum(t *testing.T) {
	hex := strings.Repeat("a1b2", 8)
	for text, want := range map[string]string{
		hex: hex, strings.ToUpper(hex): hex, hex + "\n": hex, "\n\n " + hex + "  lib.jar\n": hex, "MD5 (lib.jar) = " + hex: hex, "lib.jar: " + strings.TrimSpace(strings.Repeat("A1 B2 ", 8)): hex,
		"lib.jar " + hex: hex, hex[:31]: "", hex + "0": "", "": "", "<html>": "", "x\n" + hex: "",
	} {
		if got := Parse(text, "md5"); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

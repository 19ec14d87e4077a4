package xmlrpc

// Calls and responses of XML-RPC.

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// call is a call of the method m.
func call(params string) string {
	return `<?xml version='1.0'?><methodCall><methodName>m</methodName><params>` + params + `</params></methodCall>`
}

// value is a parameter.
func value(v string) string { return "<param><value>" + v + "</value></param>" }

func TestCallIsRead(t *testing.T) {
	for body, want := range map[string]Call{
		call(""): {Method: "m"},
		`<methodCall><methodName> m </methodName></methodCall>`: {Method: "m"},

		call(value("<string>a &amp; b</string>")):                           {"m", []any{"a & b"}},
		call(value("plain") + value("")):                                    {"m", []any{"plain", ""}},
		call(value("<int>-7</int>") + value("<i8>8000000000</i8>")):         {"m", []any{int64(-7), int64(8000000000)}},
		call(value("<boolean>1</boolean>") + value("<double>1.5</double>")): {"m", []any{true, 1.5}},
		call("<param>\n <value> <nil/> </value>\n</param>"):                 {"m", []any{nil}},
		call(value("<array><data><value>a</value><value><i4>1</i4></value></data></array>")): {
			"m", []any{[]any{"a", int64(1)}},
		},
		call(value("<array><data></data></array>")): {"m", []any{[]any{}}},
		call(value("<struct><member><name>name</name>" +
			"<value><array><data><value><string>x</string></value></data></array></value></member></struct>")): {
			"m", []any{map[string]any{"name": []any{"x"}}},
		},
		call(value("<dateTime.iso8601>2020</dateTime.iso8601>") + "<!-- c -->"): {"m", []any{"2020"}},
	} {
		got, err := Parse([]byte(body))
		if err != nil {
			t.Errorf("Parse(%s): %v", body, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%s) is %#v, want %#v", body, got, want)
		}
	}
}

func TestMalformedCallIsRefused(t *testing.T) {
	deep := strings.Repeat("<value><array><data>", 40) + strings.Repeat("</data></array></value>", 40)
	for name, body := range map[string]string{
		"empty":           "",
		"no xml":          "hello",
		"another element": "<methodResponse></methodResponse>",
		"no name":         "<methodCall><params></params></methodCall>",
		"cut":             call("")[:60],
		"document type":   `<!DOCTYPE x [<!ENTITY a "b">]>` + call(""),
		"entity":          call(value("&a;")),
		"unknown type":    call(value("<date>1</date>")),
		"no number":       call(value("<int>x</int>")),
		"deep":            call("<param>" + deep + "</param>"),
		"text between":    call("x"),
		"two values":      call("<param><value>a</value><value>b</value></param>"),
		"two types":       call(value("<int>1</int><int>2</int>")),
		"element in text": call(value("<string><b/></string>")),
		"no member":       call(value("<struct><x/></struct>")),
		"no data":         call(value("<array><x/></array>")),
	} {
		if c, err := Parse([]byte(body)); !errors.Is(err, ErrCall) {
			t.Errorf("%s: Parse(%s) is %#v, %v; want %v", name, body, c, err, ErrCall)
		}
	}
}

func TestResponseHasEveryType(t *testing.T) {
	v := []any{map[string]any{"b": nil, "a<": 1}, "x & y\x00", true, false, 1.5, int64(1) << 40, []string{"s"}}
	want := "<?xml version=\"1.0\"?>\n<methodResponse><params><param><value><array><data>" +
		"<value><struct><member><name>a&lt;</name><value><int>1</int></value></member>" +
		"<member><name>b</name><value><nil/></value></member></struct></value>" +
		"<value><string>x &amp; y\ufffd</string></value>" +
		"<value><boolean>1</boolean></value><value><boolean>0</boolean></value>" +
		"<value><double>1.5</double></value><value><i8>1099511627776</i8></value>" +
		"<value><array><data><value><string>s</string></value></data></array></value>" +
		"</data></array></value></param></params></methodResponse>\n"
	if got := string(Response(v)); got != want {
		t.Errorf("Response(%#v) is\n%s\nwant\n%s", v, got, want)
	}
}

func TestFaultHasCodeAndText(t *testing.T) {
	got := string(Fault(404, "no <such> thing"))
	for _, want := range []string{
		"<fault><value><struct><member><name>faultCode</name><value><int>404</int>", "no &lt;such&gt; thing",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the fault lacks %q:\n%s", want, got)
		}
	}
}

// No body makes it panic, and what is read can be sent back.
func FuzzCall(f *testing.F) {
	f.Add(call(`<param><value><struct><member><name>n</name><value>v</value></member></struct></value></param>`))
	f.Add(call(`<param><value><array><data><value><int>1</int></value></data></array></value></param>`))
	f.Fuzz(func(t *testing.T, body string) {
		c, err := Parse([]byte(body))
		if err != nil {
			return
		}
		answer := string(Response(c.Params))
		inner := strings.TrimSuffix(strings.TrimPrefix(answer, head+"<params>"), "</params></methodResponse>\n")
		again, err := Parse([]byte(call(inner)))
		if err != nil || len(again.Params) != 1 {
			t.Fatalf("the response %q is read as %d parameters, %v; want 1", answer, len(again.Params), err)
		}
	})
}

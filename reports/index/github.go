package index

import (
	"fmt"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/view"
)

// maxMarkdown keeps a job's summary well below what GitHub takes (1 MiB a step, and nothing of more).
const maxMarkdown = 200 << 10

// marks say how a run ended to those who see no colours.
var marks = map[reports.Status]string{
	reports.Passed:  "✅",
	reports.Failed:  "❌",
	reports.Unknown: "❓",
	reports.Broken:  "💥",
	reports.NotRun:  "⏭️",
}

// Markdown is the summary of a suite: what went wrong first, with what leads to it.
func Markdown(s reports.Suite) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s: %s\n\n", marks[s.Worst()], markdown(s.Name), s.Worst())
	fmt.Fprintf(
		&b,
		"%d passed, %d failed, %d unknown, %d errors, %d not run, in %s.\n",
		s.Count(reports.Passed),
		s.Count(reports.Failed),
		s.Count(reports.Unknown),
		s.Count(reports.Broken),
		s.Count(reports.NotRun),
		s.Took.Round(time.Second),
	)
	left := 0
	for _, status := range []reports.Status{reports.Failed, reports.Broken, reports.Unknown} {
		for _, o := range s.Outcomes {
			if o.Status != status {
				continue
			}
			if b.Len() > maxMarkdown/2 {
				left++
				continue
			}
			fmt.Fprintf(
				&b,
				"\n### %s %s\n\n%s (expected: %s)\n\n```sh\n%s\n```\n",
				marks[status],
				markdown(o.Name),
				markdown(view.Clip(o.Why, 2000)),
				o.Expect,
				strings.ReplaceAll(view.Clip(o.Command, 2000), "```", "` ` `"),
			)
		}
	}
	fmt.Fprintf(&b, "\n| | run | took | |\n| --- | --- | --- | --- |\n")
	for _, o := range s.Outcomes {
		line := fmt.Sprintf(
			"| %s %s | %s | %s | %s |\n",
			marks[o.Status],
			o.Status,
			markdown(o.Name),
			o.Took.Round(100*time.Millisecond),
			markdown(view.Clip(o.Why, 200)),
		)
		if b.Len()+len(line) > maxMarkdown-200 {
			left++
			continue
		}
		b.WriteString(line)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%d more entries are in the artifacts.\n", left)
	}
	return b.String()
}

// markdown makes a text one line that says nothing to a renderer of Markdown.
func markdown(text string) string {
	return strings.NewReplacer(
		"\\",
		`\\`,
		"\n",
		" ",
		"\r",
		" ",
		"://",
		":\u200b//",
		"www.",
		"www\u200b.",
		"|",
		`\|`,
		"<",
		"&lt;",
		">",
		"&gt;",
		"&",
		"&amp;",
		"`",
		"\\`",
		"*",
		`\*`,
		"_",
		`\_`,
		"[",
		`\[`,
		"]",
		`\]`,
		"#",
		`\#`,
		"@",
		"@\u200b",
	).Replace(
		text,
	)
}

// maxAnnotations is how many of a kind GitHub shows of a step.
const maxAnnotations = 10

// Annotations are GitHub's workflow commands for what went wrong.
func Annotations(s reports.Suite) string {
	escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var b strings.Builder
	n := 0
	for _, status := range []reports.Status{reports.Failed, reports.Broken, reports.Unknown} {
		for _, o := range s.Outcomes {
			if o.Status != status {
				continue
			}
			if n++; n <= maxAnnotations {
				fmt.Fprintf(
					&b,
					"::error title=%s::%s\n",
					property.Replace(view.Clip(o.Name, 200)),
					escape.Replace(fmt.Sprintf("%s: %s\n%s", o.Status, view.Clip(o.Why, 1000), o.Command)),
				)
			}
		}
	}
	if skipped := s.Count(reports.NotRun); skipped > 0 {
		fmt.Fprintf(
			&b,
			"::warning title=%s::%s not run, which is no pass\n",
			property.Replace(s.Name),
			view.Count(skipped, "run"),
		)
	}
	if n > maxAnnotations {
		fmt.Fprintf(
			&b,
			"::warning title=%s::%d more runs went wrong; see the summary\n",
			property.Replace(s.Name),
			n-maxAnnotations,
		)
	}
	return b.String()
}

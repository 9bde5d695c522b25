import java.io.File;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.logging.LogManager;
import javax.xml.parsers.DocumentBuilderFactory;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;
import org.verapdf.pdfa.validation.profiles.Profiles;
import org.verapdf.pdfa.validation.profiles.Rule;
import org.verapdf.pdfa.validation.profiles.RuleId;
import org.verapdf.pdfa.validation.profiles.ValidationProfile;
import org.verapdf.pdfa.validation.profiles.Variable;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Judges many files in one JVM: starting Java and reading the profiles costs more than judging a letter.
 *
 * <p>{@code java VeraCheck FLAVOURS FILE...}, where FLAVOURS is a list such as {@code ua1,2a}. Prints one line of
 * tab-separated fields for each file and flavour: PASS, FAIL or ERROR; the flavour; the file; then, for each broken
 * rule, its clause and test number and the first place that breaks it. Exits with 0 when every line is PASS, else 1.
 */
public final class VeraCheck {
    public static void main(String[] args) throws Exception {
        LogManager.getLogManager().reset(); // veraPDF logs each odd object; the verdict is what counts here
        VeraGreenfieldFoundryProvider.initialise();
        Map<String, ValidationProfile> profiles = new LinkedHashMap<>();
        for (String flavour : args[0].split(",")) profiles.put(flavour, profile(flavour));

        boolean good = true;
        for (int i = 1; i < args.length; i++) {
            for (Map.Entry<String, ValidationProfile> entry : profiles.entrySet()) {
                List<String> line = judge(new File(args[i]), entry.getValue());
                line.add(1, entry.getKey());
                line.add(2, args[i]);
                System.out.println(String.join("\t", line));
                good &= line.get(0).equals("PASS");
            }
        }
        System.exit(good ? 0 : 1);
    }

    /** The verdict, followed by what breaks. A file that veraPDF cannot even read is an ERROR, not a crash. */
    private static List<String> judge(File file, ValidationProfile profile) {
        List<String> line = new ArrayList<>();
        try (PDFAParser parser = Foundries.defaultInstance().createParser(file, profile.getPDFAFlavour())) {
            ValidationResult result = Foundries.defaultInstance().createValidator(profile, false).validate(parser);
            line.add(result.isCompliant() ? "PASS" : "FAIL");
            Map<String, String> broken = new LinkedHashMap<>();
            for (TestAssertion test : result.getTestAssertions()) {
                if (test.getStatus() != TestAssertion.Status.FAILED) continue;
                RuleId rule = test.getRuleId();
                String place = test.getMessage() + " @ " + test.getLocation().getContext();
                broken.putIfAbsent(rule.getClause() + "-" + rule.getTestNumber(), place.replaceAll("\\s+", " "));
            }
            broken.forEach((rule, place) -> line.add(rule + " " + place));
        } catch (Exception | LinkageError error) {
            line.clear();
            line.add("ERROR");
            line.add(error.toString().replaceAll("\\s+", " "));
        }
        return line;
    }

    /** Reads a profile by hand: veraPDF's own reader needs JAXB, which its embedders leave out of their jars. */
    private static ValidationProfile profile(String name) throws Exception {
        PDFAFlavour flavour = PDFAFlavour.fromString(name);
        if (flavour == PDFAFlavour.NO_FLAVOUR) throw new IllegalArgumentException("no such flavour: " + name);
        String file = name.startsWith("ua") ? "PDFUA-" + name.substring(2) : "PDFA-" + name.toUpperCase();
        Document xml;
        try (InputStream in = VeraCheck.class.getResourceAsStream("/org/verapdf/pdfa/validation/" + file + ".xml")) {
            xml = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(in);
        }

        // A set that took two rules for one would judge less without a word.
        SortedSet<Rule> rules = new TreeSet<>(Comparator.comparing(
                (Rule r) -> r.getRuleId().getClause() + "#" + r.getRuleId().getTestNumber() + "#" + r.getObject()));
        List<Element> ruleElements = elements(xml.getDocumentElement(), "rule");
        for (Element rule : ruleElements) rules.add(rule(rule));
        if (rules.size() != ruleElements.size()) throw new IllegalStateException(file + " lost rules");

        SortedSet<Variable> variables = new TreeSet<>(Comparator.comparing(
                (Variable v) -> v.getName() + "#" + v.getObject()));
        for (Element v : elements(xml.getDocumentElement(), "variable")) {
            variables.add(Profiles.variableFromValues(
                    v.getAttribute("name"), v.getAttribute("object"), text(v, "defaultValue"), text(v, "value")));
        }
        return Profiles.profileFromSortedValues(
                flavour, Profiles.profileDetailsFromValues(name, "", "", new Date(0)), "", rules, variables);
    }

    private static Rule rule(Element rule) {
        Element id = elements(rule, "id").get(0);
        RuleId ruleId = Profiles.ruleIdFromValues(
                PDFAFlavour.Specification.valueOf(id.getAttribute("specification")),
                id.getAttribute("clause"),
                Integer.parseInt(id.getAttribute("testNumber")));
        return Profiles.ruleFromValues(
                ruleId,
                rule.getAttribute("object"),
                rule.hasAttribute("deferred") ? Boolean.valueOf(rule.getAttribute("deferred")) : null,
                rule.getAttribute("tags"),
                text(rule, "description"),
                text(rule, "test"),
                Profiles.errorFromValues(text(rule, "message"), Collections.emptyList()),
                Collections.emptyList());
    }

    private static List<Element> elements(Element parent, String tag) {
        NodeList nodes = parent.getElementsByTagName(tag);
        List<Element> found = new ArrayList<>();
        for (int i = 0; i < nodes.getLength(); i++) found.add((Element) nodes.item(i));
        return found;
    }

    private static String text(Element parent, String tag) {
        List<Element> found = elements(parent, tag);
        return found.isEmpty() ? "" : found.get(0).getTextContent().trim();
    }
}
